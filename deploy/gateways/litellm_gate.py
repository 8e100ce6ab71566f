"""LiteLLM's proxy asks the agent before each call: one that is over budget gets a 403 and is never made.

Put this file beside LiteLLM's config.yaml and name it there:

    litellm_settings:
      callbacks: litellm_gate.gate

What is asked goes by the call: `service` is the provider of the model's deployment and `operation` the kind of call, as they are recorded from
LiteLLM's callbacks; `batch_id` and `lead_id` stand in the call's metadata. Three variables of the environment:

    COST_GATE_URL           where the agent is; http://127.0.0.1:8000
    COST_GATE_ESTIMATE_USD  the most that one call costs; 0
    COST_GATE_FAILS         closed (the default) or open: what happens while the agent is down or cannot tell
"""

import os

import httpx
from fastapi import HTTPException
from litellm import get_llm_provider
from litellm.integrations.custom_logger import CustomLogger

TIMEOUT_SECONDS = 2.0
# How LiteLLM's words for providers begin, where the agent has another one.
SERVICES = {"azure": "azure", "bedrock": "aws", "gemini": "google", "vertex_ai": "google"}
# All other kinds of calls are chats.
OPERATIONS = {
    "embedding": "embeddings",
    "embeddings": "embeddings",
    "image_edit": "image_edit",
    "image_generation": "image_generation",
    "ocr": "ocr",
    "rerank": "rerank",
    "search": "search",
    "speech": "speech",
    "text_completion": "text_completion",
    "transcription": "transcription",
}


class Gate(CustomLogger):
    """Asks before each call, over a connection that is kept."""

    def __init__(self):
        super().__init__()
        self.url = os.environ.get("COST_GATE_URL", "http://127.0.0.1:8000").rstrip("/") + "/scaling-gate/authorize"
        self.estimate = os.environ.get("COST_GATE_ESTIMATE_USD", "0")
        self.fails_open = os.environ.get("COST_GATE_FAILS", "closed") == "open"
        # The agent is near: no proxy of the environment stands before it.
        self.client = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)

    async def async_pre_call_hook(self, user_api_key_dict, cache, data, call_type):
        try:
            answer = await self.client.get(self.url, params=question(user_api_key_dict, data, call_type, self.estimate))
        except httpx.HTTPError:
            answer = None
        if answer is not None and answer.is_success:
            return data
        if answer is not None and answer.status_code == 403:
            raise HTTPException(status_code=403, detail={"error": answer.headers.get("x-gate-reason", "refused")})
        if self.fails_open and (answer is None or answer.status_code >= 500):
            return data
        raise HTTPException(status_code=503, detail={"error": "The cost agent cannot tell whether this fits the budget."})


def question(key, data, call_type, estimate):
    """The query of a check."""
    model, provider = deployment(data.get("model") or "")
    said = data.get("metadata")
    metadata = said if isinstance(said, dict) else {}
    asked = {
        "service": next((service for word, service in SERVICES.items() if provider.startswith(word)), provider),
        # Those of async calls begin with an "a".
        "operation": OPERATIONS.get(call_type) or OPERATIONS.get(call_type[1:], "chat"),
        "model": model,
        "worker": getattr(key, "key_alias", None),
        "batch_id": metadata.get("batch_id"),
        "lead_id": metadata.get("lead_id"),
        "estimated_cost_usd": estimate,
    }
    return {name: value for name, value in asked.items() if value}


def deployment(model):
    """The model and provider behind a name of config.yaml: of several deployments the first, since LiteLLM chooses later."""
    from litellm.proxy.proxy_server import llm_router  # Made after this file is read.

    for choice in (llm_router.get_model_list(model_name=model) or [])[:1] if llm_router else []:
        model = choice["litellm_params"]["model"]
    try:
        model, provider, _, _ = get_llm_provider(model)
    except Exception:  # One of its own, for a name that it does not know.
        provider = "unknown"
    return model, provider


gate = Gate()
