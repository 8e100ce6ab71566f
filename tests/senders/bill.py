"""What the provider of the tests charges for each call that the senders can make, worked out by hand from the providers' price lists.

Amounts are USD; `None` is a call that was paid and whose price nobody can know from what is told of it: unpriced, not 0.
"""

from decimal import Decimal

MILLION = 1_000_000


def per_million(*parts):
    """The sum of tokens x USD per million tokens, exactly."""
    return sum(tokens * Decimal(price) for tokens, price in parts) / MILLION


# gpt-4o: 1000 tokens in, 800 of them cached; 50 out, thinking included. 2.50, 1.25 and 10.00 a million.
GPT_4O = per_million((200, "2.5"), (800, "1.25"), (50, "10"))
# claude-sonnet-4-5: 100 fresh, 300 written to the cache for 5 minutes, 600 read from it; 50 out. 3.00, 3.75, 0.30 and 15.00.
CLAUDE = per_million((100, "3"), (300, "3.75"), (600, "0.3"), (50, "15"))
# The same, written for an hour: 6.00 a million.
CLAUDE_HOUR = per_million((100, "3"), (300, "6"), (600, "0.3"), (50, "15"))
# text-embedding-3-small: 7 in at 0.02.
EMBEDDING = per_million((7, "0.02"))
# gemini-2.5-pro: 1000 in, 800 of them cached; 30 out and 20 of thinking, which cost the same. 1.25, 0.125 and 10.00.
GEMINI = per_million((200, "1.25"), (800, "0.125"), (50, "10"))
# gpt-5.1-codex: 1000 in, 800 of them cached; 50 out. 1.25, 0.125 and 10.00.
CODEX = per_million((200, "1.25"), (800, "0.125"), (50, "10"))
UNPRICED = None

assert GPT_4O == Decimal("0.002")
assert CLAUDE == Decimal("0.002355")
assert CLAUDE_HOUR == Decimal("0.00303")
assert EMBEDDING == Decimal("0.00000014")
assert GEMINI == CODEX == Decimal("0.00085")

# What senders say that cannot know: guesses of their own, charged as such.
# LiteLLM, of a stream without usage: 8 in and 1 out of gpt-4o. OpenLIT: 4 in and 1 out.
LITELLM_GUESS = per_million((8, "2.5"), (1, "10"))
OPENLIT_GUESS = per_million((4, "2.5"), (1, "10"))
# OpenLLMetry for JavaScript does not tell what was cached: 1000 in and 50 out.
GPT_4O_NOT_CACHED = per_million((1000, "2.5"), (50, "10"))

# OpenLLMetry for Python adds the 3 tokens of a stream's first event to the 50 of its last.
CLAUDE_3_TOO_MANY = per_million((100, "3"), (300, "3.75"), (600, "0.3"), (53, "15"))

# What each call of send.py and send.mjs costs, in order of the answers.
CALLS = {
    "openai_chat": [GPT_4O],
    "openai_stream": [GPT_4O],
    "openai_stream_without_usage": [UNPRICED],
    "openai_unknown": [UNPRICED],
    "openai_fail": [],
    "openai_flaky": [GPT_4O],
    "openai_tool": [GPT_4O, GPT_4O],
    "openai_responses": [GPT_4O],
    "openai_responses_stream": [GPT_4O],
    "openai_embeddings": [EMBEDDING],
    "anthropic_create": [CLAUDE],
    "anthropic_one_hour": [CLAUDE_HOUR],
    "anthropic_stream": [CLAUDE],
    "anthropic_stream_helper": [CLAUDE],
    "anthropic_fail": [],
    "anthropic_flaky": [CLAUDE],
    "anthropic_tool": [CLAUDE, CLAUDE],
    "client_openai": [GPT_4O],
    "client_anthropic": [CLAUDE],
    "litellm_openai": [GPT_4O],
    "litellm_openai_stream": [GPT_4O],
    "litellm_openai_stream_without_usage": [LITELLM_GUESS],
    "litellm_anthropic": [CLAUDE],
    "litellm_anthropic_stream": [CLAUDE],
    "litellm_gemini": [GEMINI],
    "litellm_unknown": [UNPRICED],
    "litellm_fail": [],
    "litellm_fallback": [GPT_4O],
    "litellm_cached": [GPT_4O],
    "litellm_embeddings": [EMBEDDING],
    "litellm_responses": [GPT_4O],
    "pydantic_ai_openai": [GPT_4O],
    "pydantic_ai_openai_tool": [GPT_4O, GPT_4O],
    "pydantic_ai_anthropic": [CLAUDE],
    "pydantic_ai_anthropic_tool": [CLAUDE, CLAUDE],
    "pydantic_ai_anthropic_stream": [CLAUDE],
    "strands_openai": [GPT_4O],
    "strands_openai_tool": [GPT_4O, GPT_4O],
    "strands_anthropic": [CLAUDE],
    "strands_anthropic_tool": [CLAUDE, CLAUDE],
    "langfuse_openai": [GPT_4O],
    "langfuse_openai_stream": [GPT_4O],
    "langfuse_openai_embeddings": [EMBEDDING],
    "langfuse_openai_fail": [],
    "langfuse_manual": [CLAUDE],
    "cloudevents_structured": [CLAUDE],
    "cloudevents_binary": [CLAUDE],
    "cloudevents_batch": [CLAUDE, GPT_4O],
    "ai_openai_chat": [GPT_4O],
    "ai_openai_responses": [GPT_4O],
    "ai_openai_stream": [GPT_4O],
    "ai_openai_tool": [GPT_4O, GPT_4O],
    "ai_openai_embed": [EMBEDDING],
    "ai_openai_fail": [],
    "ai_openai_flaky": [GPT_4O],
    "ai_anthropic": [CLAUDE],
    "ai_anthropic_stream": [CLAUDE],
    "ai_anthropic_tool": [CLAUDE, CLAUDE],
}
