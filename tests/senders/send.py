"""Makes known calls to the provider of the tests with real Python libraries, which tell of them by the given roads.

    send.py ROAD[,ROAD…] CALL…

Roads and calls are the functions below that are named so. Every call in one process is told by all the roads given, as in a program in which
several are switched on. Where the provider and the receiver are comes from the environment, as users set it.
"""

import asyncio
import os
import sys
import warnings

warnings.filterwarnings("ignore")
RECEIVER = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").rstrip("/")
PROVIDER = os.environ.get("PROVIDER", "").rstrip("/")
OPENAI, ANTHROPIC = "gpt-4o", "claude-sonnet-4-5"

# What a road wants done when all calls have been made.
at_end = []
tracer_provider = None


def otel():
    """The OpenTelemetry SDK as its documentation sets it up; an Anthropic SDK tells of its calls as soon as that is done."""
    global tracer_provider
    if tracer_provider is not None:
        return tracer_provider
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    tracer_provider = TracerProvider()
    tracer_provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(tracer_provider)
    at_end.append(tracer_provider.shutdown)
    return tracer_provider


# === Roads ===


def openllmetry():
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    provider = otel()
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    AnthropicInstrumentor().instrument(tracer_provider=provider)


def openinference():
    from openinference.instrumentation.anthropic import AnthropicInstrumentor
    from openinference.instrumentation.openai import OpenAIInstrumentor

    provider = otel()
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    AnthropicInstrumentor().instrument(tracer_provider=provider)


def openlit():
    import openlit

    openlit.init(otlp_endpoint=RECEIVER, application_name="score-worker", pricing_json=os.environ.get("OPENLIT_PRICES"))
    from opentelemetry import trace

    at_end.append(trace.get_tracer_provider().force_flush)


def pydantic_ai():
    from pydantic_ai import Agent

    otel()
    Agent.instrument_all()


def logfire():
    import logfire

    logfire.configure(send_to_logfire=False, console=False, service_name="score-worker", metrics=False, inspect_arguments=False)
    logfire.instrument_pydantic_ai()
    logfire.instrument_openai()
    logfire.instrument_anthropic()
    at_end.append(logfire.shutdown)


def langfuse():
    from langfuse import Langfuse

    client = Langfuse(public_key="pk-lf-test", secret_key="sk-lf-test", base_url=RECEIVER, flush_at=64)
    at_end.append(client.flush)


def strands():
    from strands.telemetry import StrandsTelemetry

    telemetry = StrandsTelemetry().setup_otlp_exporter()
    at_end.append(telemetry.tracer_provider.force_flush)


def litellm_generic():
    # Not `callbacks = ["generic_api"]`: without LiteLLM's enterprise package that is accepted and records nothing
    # (findings/litellm-generic-api-is-nothing.sh).
    import litellm
    from litellm.integrations.generic_api.generic_api_callback import GenericAPILogger

    async def made():
        # Within a loop: its timer runs on it. With retries: it has none otherwise (findings/litellm-batch-lost-at-first-503.sh).
        return GenericAPILogger(endpoint=f"{RECEIVER}/ingest/litellm", max_retries=5)

    logger = asyncio_run(made())
    litellm.callbacks.append(logger)
    at_end.append(lambda: asyncio_run(logger.flush_queue()))


def litellm_openmeter():
    import litellm

    os.environ["OPENMETER_API_ENDPOINT"] = RECEIVER
    os.environ["OPENMETER_API_KEY"] = os.environ.get("API_TOKEN", "none")
    litellm.callbacks.append("openmeter")


def litellm_otel():
    import litellm

    os.environ["OTEL_EXPORTER"] = "otlp_http"
    litellm.callbacks.append("otel")
    from opentelemetry import trace

    at_end.append(lambda: trace.get_tracer_provider().force_flush())


# === Calls by the providers' own libraries ===


def openai_client(**more):
    import openai

    return openai.OpenAI(base_url=f"{PROVIDER}/v1", api_key="none", max_retries=2, **more)


def anthropic_client():
    import anthropic

    return anthropic.Anthropic(base_url=PROVIDER, api_key="none", max_retries=2)


def user(text):
    return [{"role": "user", "content": text}]


OPENAI_TOOL = {"type": "function", "function": {"name": "look", "description": "looks", "parameters": {"type": "object", "properties": {}}}}
ANTHROPIC_TOOL = {"name": "look", "description": "looks", "input_schema": {"type": "object", "properties": {}}}


def openai_chat(text="q", model=OPENAI, **more):
    return openai_client().chat.completions.create(model=model, messages=user(text), **more)


def openai_stream():
    for _ in openai_chat(stream=True, stream_options={"include_usage": True}):
        pass


def openai_stream_without_usage():
    for _ in openai_chat(stream=True):
        pass


def openai_unknown():
    openai_chat(model="my-own-model")


def openai_fail():
    import openai

    try:
        openai_chat("please-fail")
    except openai.BadRequestError:
        return
    raise AssertionError("the provider answers with an error")


def openai_flaky():
    openai_chat(f"please-flaky-{os.getpid()}")


def openai_tool():
    client, messages = openai_client(), user("please-use-the-tool")
    asked = client.chat.completions.create(model=OPENAI, messages=messages, tools=[OPENAI_TOOL]).choices[0].message
    (call,) = asked.tool_calls
    messages += [asked.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": call.id, "content": "seen"}]
    client.chat.completions.create(model=OPENAI, messages=messages, tools=[OPENAI_TOOL])


def openai_responses():
    openai_client().responses.create(model=OPENAI, input="q")


def openai_responses_stream():
    for _ in openai_client().responses.create(model=OPENAI, input="q", stream=True):
        pass


def openai_embeddings():
    openai_client().embeddings.create(model="text-embedding-3-small", input="x")


def anthropic_create(text="q", **more):
    return anthropic_client().messages.create(model=ANTHROPIC, max_tokens=100, messages=user(text), **more)


def anthropic_one_hour():
    anthropic_create("please-one-hour")


def anthropic_stream():
    for _ in anthropic_create(stream=True):
        pass


def anthropic_stream_helper():
    with anthropic_client().messages.stream(model=ANTHROPIC, max_tokens=100, messages=user("q")) as stream:
        stream.get_final_message()


def anthropic_fail():
    import anthropic

    try:
        anthropic_create("please-fail")
    except anthropic.BadRequestError:
        return
    raise AssertionError("the provider answers with an error")


def anthropic_flaky():
    anthropic_create(f"please-flaky-{os.getpid()}")


def anthropic_tool():
    messages = user("please-use-the-tool")
    client = anthropic_client()
    ask = lambda: client.messages.create(model=ANTHROPIC, max_tokens=100, messages=messages, tools=[ANTHROPIC_TOOL])
    asked = ask()
    result = {"type": "tool_result", "tool_use_id": asked.content[0].id, "content": "seen"}
    messages += [{"role": "assistant", "content": [asked.content[0].model_dump(exclude_none=True)]}, {"role": "user", "content": [result]}]
    ask()


# === Our own client beside the libraries' spans ===


def client():
    import lead_factory_metrics

    at_end.append(lead_factory_metrics.flush)


def client_openai():
    from lead_factory_metrics import record

    record("openai", "chat", usage=openai_chat(), lead_id="L1")


def client_anthropic():
    from lead_factory_metrics import record

    record("anthropic", "chat", usage=anthropic_create(), lead_id="L1")


# === Calls by frameworks ===


def asyncio_run(coroutine):
    """On one loop: LiteLLM's queues belong to that on which they were made."""
    global loop
    if loop is None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
    return loop.run_until_complete(coroutine)


loop = None


def litellm_call(model, api_base, text="q", **more):
    import litellm

    async def call():
        answer = await litellm.acompletion(
            model=model, api_base=api_base, api_key="none", messages=user(text), user="u1", num_retries=0,
            metadata={"lead_id": "L1", "batch_id": "B1"}, **more,
        )
        if more.get("stream"):
            async for _ in answer:
                pass
        # Callbacks run beside the call.
        await asyncio.sleep(0.5)

    return asyncio_run(call())


def litellm_openai(**more):
    litellm_call(f"openai/{OPENAI}", f"{PROVIDER}/v1", **more)


def litellm_openai_stream():
    litellm_openai(stream=True, stream_options={"include_usage": True})


def litellm_openai_stream_without_usage():
    litellm_openai(stream=True)


def litellm_anthropic(**more):
    litellm_call(f"anthropic/{ANTHROPIC}", PROVIDER, **more)


def litellm_anthropic_stream():
    litellm_anthropic(stream=True)


def litellm_gemini():
    litellm_call("gemini/gemini-2.5-pro", f"{PROVIDER}/v1beta/models/gemini-2.5-pro")


def litellm_unknown():
    litellm_call("openai/my-own-model", f"{PROVIDER}/v1")


def litellm_fail():
    import litellm

    try:
        litellm_openai(text="please-fail")
    except litellm.exceptions.BadRequestError:
        asyncio_run(asyncio.sleep(0.5))
        return
    raise AssertionError("the provider answers with an error")


def litellm_fallback():
    litellm_call(
        "openai/gpt-4o", f"{PROVIDER}/nowhere", fallbacks=[{"model": "openai/gpt-4o", "api_base": f"{PROVIDER}/v1"}]
    )


def litellm_cached():
    """The same call twice, the second answered from LiteLLM's own cache."""
    import litellm

    litellm.cache = litellm.Cache()
    for _ in range(2):
        litellm_openai(text="cached please", caching=True)


def litellm_embeddings():
    import litellm

    async def call():
        await litellm.aembedding(
            model="openai/text-embedding-3-small", api_base=f"{PROVIDER}/v1", api_key="none", input=["x"], user="u1"
        )
        await asyncio.sleep(0.5)

    asyncio_run(call())


def litellm_responses():
    import litellm

    async def call():
        await litellm.aresponses(model=f"openai/{OPENAI}", api_base=f"{PROVIDER}/v1", api_key="none", input="q", user="u1")
        await asyncio.sleep(0.5)

    asyncio_run(call())


def agent(model):
    from pydantic_ai import Agent

    made = Agent(model, name="scorer")

    @made.tool_plain
    def look() -> str:
        """Looks."""
        return "seen"

    return made


def pydantic_model(provider):
    if provider == "openai":
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        return OpenAIChatModel(OPENAI, provider=OpenAIProvider(base_url=f"{PROVIDER}/v1", api_key="none"))
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    return AnthropicModel(ANTHROPIC, provider=AnthropicProvider(anthropic_client=async_anthropic()))


def async_anthropic():
    import anthropic

    return anthropic.AsyncAnthropic(base_url=PROVIDER, api_key="none")


def pydantic_ai_openai():
    asyncio_run(agent(pydantic_model("openai")).run("q"))


def pydantic_ai_openai_tool():
    asyncio_run(agent(pydantic_model("openai")).run("please-use-the-tool"))


def pydantic_ai_anthropic():
    asyncio_run(agent(pydantic_model("anthropic")).run("q"))


def pydantic_ai_anthropic_tool():
    asyncio_run(agent(pydantic_model("anthropic")).run("please-use-the-tool"))


def pydantic_ai_anthropic_stream():
    async def call():
        async with agent(pydantic_model("anthropic")).run_stream("q") as answer:
            await answer.get_output()

    asyncio_run(call())


def strands_agent(text, provider):
    from strands import Agent, tool

    @tool
    def look() -> str:
        """Looks."""
        return "seen"

    if provider == "openai":
        from strands.models.openai import OpenAIModel

        model = OpenAIModel(client_args={"base_url": f"{PROVIDER}/v1", "api_key": "none"}, model_id=OPENAI)
    else:
        from strands.models.anthropic import AnthropicModel

        model = AnthropicModel(client_args={"base_url": PROVIDER, "api_key": "none"}, model_id=ANTHROPIC, max_tokens=100)
    Agent(model=model, tools=[look], callback_handler=None)(text)


def strands_openai():
    strands_agent("q", "openai")


def strands_openai_tool():
    strands_agent("please-use-the-tool", "openai")


def strands_anthropic():
    strands_agent("q", "anthropic")


def strands_anthropic_tool():
    strands_agent("please-use-the-tool", "anthropic")


def langfuse_openai():
    from langfuse.openai import OpenAI

    OpenAI(base_url=f"{PROVIDER}/v1", api_key="none").chat.completions.create(model=OPENAI, messages=user("q"))


def langfuse_openai_stream():
    from langfuse.openai import OpenAI

    client = OpenAI(base_url=f"{PROVIDER}/v1", api_key="none")
    for _ in client.chat.completions.create(model=OPENAI, messages=user("q"), stream=True, stream_options={"include_usage": True}):
        pass


def langfuse_openai_embeddings():
    from langfuse.openai import OpenAI

    OpenAI(base_url=f"{PROVIDER}/v1", api_key="none").embeddings.create(model="text-embedding-3-small", input="x")


def langfuse_openai_fail():
    import openai
    from langfuse.openai import OpenAI

    try:
        OpenAI(base_url=f"{PROVIDER}/v1", api_key="none").chat.completions.create(model=OPENAI, messages=user("please-fail"))
    except openai.BadRequestError:
        return
    raise AssertionError("the provider answers with an error")


def langfuse_manual():
    """A generation that a program tells itself, as Langfuse's documentation shows it."""
    from langfuse import get_client

    with get_client().start_as_current_observation(as_type="generation", name="score", model=ANTHROPIC) as generation:
        answer = anthropic_create()
        used = answer.usage
        generation.update(
            usage_details={
                "input": used.input_tokens,
                "output": used.output_tokens,
                "cache_creation_input_tokens": used.cache_creation_input_tokens,
                "cache_read_input_tokens": used.cache_read_input_tokens,
            }
        )


# === CloudEvents, with their own SDK; the id and source make a repeat known ===


CLAUDE_USAGE = {"input_tokens": 1000, "cached_input_tokens": 600, "cache_write_input_tokens": 300, "output_tokens": 50}


def cloudevents():
    pass


def cloud_event(number, data):
    from datetime import datetime, timezone

    from cloudevents.core.v1.event import CloudEvent

    attributes = {
        "id": f"{os.getpid()} {number} \u20ac",
        "source": "/workers/\u00e4",
        "type": "llm.call",
        "subject": 'customer "1" 100%',
        "time": datetime.now(timezone.utc),
        "datacontenttype": "application/json",
        "specversion": "1.0",
    }
    return CloudEvent(attributes=attributes, data=data)


def post_twice(headers, body):
    """The second time as after an answer that was lost."""
    import httpx

    for _ in range(2):
        httpx.post(f"{RECEIVER}/ingest/cloudevents", content=body, headers=headers).raise_for_status()


def cloudevents_structured():
    from cloudevents.core.bindings.http import to_structured_event

    data = {"service": "anthropic", "operation": "chat", "model": ANTHROPIC, "usage": CLAUDE_USAGE}
    message = to_structured_event(cloud_event(1, data))
    post_twice(message.headers, message.body)


def cloudevents_binary():
    from cloudevents.core.bindings.http import to_binary_event

    data = {"model": ANTHROPIC, "cost": 0.0023550000000000003, "prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050}
    message = to_binary_event(cloud_event(2, data))
    post_twice(message.headers, message.body)


def cloudevents_batch():
    import json

    from cloudevents.core.bindings.http import to_structured_event

    data = [{"service": "anthropic", "model": ANTHROPIC, "usage": CLAUDE_USAGE}, {"service": "openai", "model": OPENAI, "amount_usd": "0.002"}]
    events = [json.loads(to_structured_event(cloud_event(3 + number, each)).body) for number, each in enumerate(data)]
    post_twice({"Content-Type": "application/cloudevents-batch+json"}, json.dumps(events).encode())


def main():
    roads, calls = sys.argv[1].split(","), sys.argv[2:]
    names = globals()
    for road in roads:
        names[road]()
    for call in calls:
        names[call]()
    for end in at_end:
        end()


if __name__ == "__main__":
    main()
