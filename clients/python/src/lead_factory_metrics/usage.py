"""What a provider says a call used, in the agent's names.

`read` takes a usage object or a whole answer, as the SDK's object or as a dict: OpenAI's (chat, responses, embeddings, images,
audio, and the many APIs of that form), Anthropic's, Gemini's, Bedrock's; or a dict of our own names. What is nested in a form that
is not known here goes to the agent as it is (`usage_raw`), whose price book knows more providers.

What includes what, by providers' documentation: OpenAI's and Gemini's input includes what was read from the cache, Anthropic's and
Bedrock's does not; OpenAI's output includes reasoning, Gemini's candidates do not include thoughts. Here `input_tokens` and
`output_tokens` always include all.
"""

from collections.abc import Mapping
from typing import Any, Dict, NamedTuple, Optional, Tuple, Union

from . import values
from .log import shown
from .values import Bad

Quantity = Union[int, float]

_ANTHROPIC = ("cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation", "server_tool_use")
_OPENAI = ("input_tokens_details", "output_tokens_details", "input_token_details", "output_token_details")
_GEMINI = ("prompt_token_count", "promptTokenCount", "candidates_token_count", "candidatesTokenCount")
_BEDROCK = ("inputTokens", "outputTokens")
#: What usage never has, but an answer does; texts of people must not get to the agent as usage.
_ANSWER = ("choices", "content", "output", "candidates", "data", "messages", "object", "model", "usage")
_PLAIN = ("input_tokens", "output_tokens")

#: Other words for the providers' names that the agent's price book has.
_PROVIDERS = {
    "bedrock": "aws",
    "aws.bedrock": "aws",
    "amazon_bedrock": "aws",
    "gemini": "google",
    "gcp.gemini": "google",
    "gcp.vertex_ai": "google",
    "gcp.gen_ai": "google",
    "vertex_ai": "google",
    "azure_openai": "azure",
    "azure.ai.openai": "azure",
    "az.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "az.ai.inference": "azure",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "xai": "x-ai",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
}
_KNOWN = {
    *_PROVIDERS.values(),
    *("anthropic", "avian", "cerebras", "cohere", "deepseek", "groq", "moonshotai", "novita", "openai", "openrouter"),
    *("ovhcloud", "perplexity"),
}


class Used(NamedTuple):
    """What one call used; from a whole answer also which call it was."""

    usage: Optional[Dict[str, Quantity]] = None
    raw: Optional[Dict[str, Any]] = None
    model: Optional[str] = None
    response_id: Optional[str] = None
    #: Whose form the answer has; the same form is spoken by others.
    provider: Optional[str] = None
    #: The way the call was made, where that has a price of its own: attributes that the price book knows.
    way: Dict[str, str] = {}


def read(value: object) -> Used:
    """Raises `Bad` for what has no usage in any form."""
    try:
        return _read(value)
    except Bad:
        raise
    except Exception as failed:
        raise Bad(f"cannot be read: a {type(value).__name__}") from failed


def charged_to(service: str, used: Used) -> str:
    """The provider by its name in the price book: the service, where it is one, else the one whose form the answer has."""
    word = service.lower()
    word = _PROVIDERS.get(word, word)
    return word if word in _KNOWN or used.provider is None else used.provider


def _read(value: object) -> Used:
    answer = _answer(value)
    if answer is None:
        usage, raw, provider = _convert(value, None)
        return Used(usage, raw, provider=provider, way=_way(value))
    inner = _first(answer, "usage", "usage_metadata", "usageMetadata")
    kind = "anthropic" if _get(answer, "type") == "message" else None
    usage, raw, provider = _convert(inner, kind)
    model = _text(answer, "model", "model_version", "modelVersion")
    response_id = _text(answer, "id", "response_id", "responseId")
    return Used(usage, raw, model, response_id, provider, {**_way(inner), **_way(answer)})


def _answer(value: object) -> Optional[object]:
    """The value, if it is a whole answer: it has usage within. An event of a stream may have the answer within."""
    for candidate in (value, _get(value, "response")):
        if _is_object(_first(candidate, "usage", "usage_metadata", "usageMetadata")):
            return candidate
    return None


def _convert(usage: object, kind: Optional[str]) -> Tuple[Optional[Dict[str, Quantity]], Optional[Dict[str, Any]], Optional[str]]:
    """(usage in our names, usage as it is, provider)."""
    if isinstance(usage, (str, bytes, int, float, list, tuple, set)):
        raise Bad(f"is not a usage object: {shown(usage)}")
    is_openai = _number(usage, "prompt_tokens", "completion_tokens") is not None
    if not is_openai and (kind == "anthropic" or _has(usage, *_ANTHROPIC)):
        return _anthropic(usage), None, "anthropic"
    if is_openai or _has(usage, *_OPENAI) or (_get(usage, "type") == "duration" and _has(usage, "seconds")):
        return _openai(usage), None, "openai"
    if _has(usage, *_GEMINI):
        return _gemini(usage), None, "google"
    if _has(usage, *_BEDROCK):
        return _bedrock(usage), None, "aws"
    if isinstance(usage, Mapping):
        if any(_is_object(member) or isinstance(member, (list, tuple)) for member in usage.values()):
            if _has(usage, *_ANSWER):
                raise Bad("is an answer without usage")
            return None, values.plain(usage), None
        return _ours(usage), None, None
    if _has(usage, *_PLAIN):
        return _named(input_tokens=_number(usage, "input_tokens"), output_tokens=_number(usage, "output_tokens")), None, None
    raise Bad(f"has no usage that is known: {shown(usage)}")


def _ours(usage: Mapping[Any, Any]) -> Dict[str, Quantity]:
    found = {}
    for key, member in usage.items():
        if member is None:
            continue
        if not isinstance(key, str) or not key or len(key.encode()) > values.NAME_BYTES_MAX:
            raise Bad(f"has a name that is not text: {shown(key)}")
        try:
            found[str.__str__(key)] = values.quantity(member)
        except Bad as bad:
            raise Bad(f"{key} {bad}") from None
    if not found:
        raise Bad("has no counts")
    if len(found) > values.USAGE_NAMES_MAX:
        raise Bad(f"has more than {values.USAGE_NAMES_MAX} names")
    return found


def _openai(usage: object) -> Dict[str, Quantity]:
    taken = _first(usage, "prompt_tokens_details", "input_tokens_details", "input_token_details")
    given = _first(usage, "completion_tokens_details", "output_tokens_details", "output_token_details")
    input_tokens = _number(usage, "prompt_tokens", "input_tokens")
    output_tokens = _number(usage, "completion_tokens", "output_tokens")
    reasoning = _number(given, "reasoning_tokens")
    total = _number(usage, "total_tokens")
    if reasoning and total == (input_tokens or 0) + (output_tokens or 0) + reasoning:
        output_tokens = (output_tokens or 0) + reasoning  # xAI counts reasoning beside the output.
    return _named(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_input_tokens=_number(taken, "cached_tokens")
        or _number(usage, "cache_read_input_tokens", "prompt_cache_hit_tokens"),  # LiteLLM; DeepSeek
        cache_write_input_tokens=_number(taken, "cache_write_tokens") or _number(usage, "cache_creation_input_tokens"),
        audio_input_tokens=_number(taken, "audio_tokens"),
        image_input_tokens=_number(taken, "image_tokens"),
        reasoning_output_tokens=reasoning,
        audio_output_tokens=_number(given, "audio_tokens"),
        seconds=_number(usage, "seconds"),
    )


def _anthropic(usage: object) -> Dict[str, Quantity]:
    read_tokens = _number(usage, "cache_read_input_tokens") or 0
    written = _number(usage, "cache_creation_input_tokens") or 0
    split = _get(usage, "cache_creation")
    for_an_hour = _number(split, "ephemeral_1h_input_tokens") or 0
    written = max(written, for_an_hour + (_number(split, "ephemeral_5m_input_tokens") or 0))
    fresh = _number(usage, "input_tokens")
    return _named(
        input_tokens=None if fresh is None else fresh + read_tokens + written,
        output_tokens=_number(usage, "output_tokens"),
        reasoning_output_tokens=_number(_get(usage, "output_tokens_details"), "thinking_tokens"),
        cached_input_tokens=read_tokens,
        cache_write_input_tokens=written - for_an_hour,
        cache_write_1h_input_tokens=for_an_hour,
        searches=_number(_get(usage, "server_tool_use"), "web_search_requests"),
    )


def _gemini(usage: object) -> Dict[str, Quantity]:
    thoughts = _number(usage, "thoughts_token_count", "thoughtsTokenCount") or 0
    prompt = _number(usage, "prompt_token_count", "promptTokenCount")
    tools = _number(usage, "tool_use_prompt_token_count", "toolUsePromptTokenCount") or 0
    candidates = _number(usage, "candidates_token_count", "candidatesTokenCount")
    return _named(
        input_tokens=None if prompt is None else prompt + tools,
        output_tokens=(candidates or 0) + thoughts,
        cached_input_tokens=_number(usage, "cached_content_token_count", "cachedContentTokenCount"),
        reasoning_output_tokens=thoughts,
        audio_input_tokens=_gemini_audio(_first(usage, "prompt_tokens_details", "promptTokensDetails")),
        audio_output_tokens=_gemini_audio(_first(usage, "candidates_tokens_details", "candidatesTokensDetails")),
    )


def _gemini_audio(details: object) -> Quantity:
    if not isinstance(details, (list, tuple)):
        return 0
    audio = (part for part in details if "AUDIO" in str(_get(part, "modality")).upper())
    return sum(_number(part, "token_count", "tokenCount") or 0 for part in audio)


def _bedrock(usage: object) -> Dict[str, Quantity]:
    read_tokens = _number(usage, "cacheReadInputTokens") or 0
    written = _number(usage, "cacheWriteInputTokens") or 0
    fresh = _number(usage, "inputTokens")
    return _named(
        input_tokens=None if fresh is None else fresh + read_tokens + written,
        output_tokens=_number(usage, "outputTokens"),
        cached_input_tokens=read_tokens,
        cache_write_input_tokens=written,
    )


def _named(**found: Optional[Quantity]) -> Dict[str, Quantity]:
    """Without what is absent; of the parts also without what is zero."""
    named = {key: value for key, value in found.items() if value is not None and (value or key in _PLAIN)}
    if not named:
        raise Bad("has no counts")
    return named


def _way(value: object) -> Dict[str, str]:
    """`service_tier`: `flex`, `priority`, `batch`; Anthropic's `speed`: `fast`."""
    said = ((name, _text(value, name)) for name in ("service_tier", "speed"))
    return {name: word for name, word in said if word and word not in ("auto", "default", "standard")}


def _get(value: object, name: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(name)
    try:
        return getattr(value, name, None)
    except Exception:
        return None


def _first(value: object, *names: str) -> Any:
    return next((found for found in (_get(value, name) for name in names) if found is not None), None)


def _has(value: object, *names: str) -> bool:
    if isinstance(value, Mapping):
        return any(name in value for name in names)
    return value is not None and any(hasattr(value, name) for name in names)


def _number(value: object, *names: str) -> Optional[Quantity]:
    """The first of these that is a quantity. SDKs have None for what a provider did not send, mocks have mocks."""
    for name in names:
        found = _get(value, name)
        if isinstance(found, (int, float)) and not isinstance(found, bool):
            return values.quantity(found)
    return None


def _text(value: object, *names: str) -> Optional[str]:
    for name in names:
        found = _get(value, name)
        if isinstance(found, str) and found:
            try:
                return values.name(found, values.LABEL_BYTES_MAX)
            except Bad:
                return None
    return None


def _is_object(value: object) -> bool:
    return value is not None and not isinstance(value, (str, bytes, int, float, list, tuple, set)) and not callable(value)
