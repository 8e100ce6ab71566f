"""The senders' runs: each is one process with real libraries, a provider of its own, and an agent that it tells."""

import os
import pathlib
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from agent import Agent
from bill import CALLS, GPT_4O_NOT_CACHED, OPENLIT_GUESS, UNPRICED
from provider import Provider
from tee import Tee

HERE = pathlib.Path(__file__).resolve().parent
INSTALLED = pathlib.Path(os.environ.get("SENDERS") or HERE.parents[1] / "target/senders")
SECONDS_MAX = 120

SDK_OPENAI = ["openai_chat", "openai_stream", "openai_stream_without_usage", "openai_unknown", "openai_fail", "openai_flaky", "openai_tool"]
SDK_OPENAI += ["openai_responses", "openai_responses_stream", "openai_embeddings"]
SDK_ANTHROPIC = ["anthropic_create", "anthropic_stream", "anthropic_stream_helper", "anthropic_fail", "anthropic_flaky", "anthropic_tool"]
LITELLM = ["openai", "openai_stream", "openai_stream_without_usage", "anthropic", "anthropic_stream", "gemini", "unknown", "fail", "fallback"]
LITELLM = [f"litellm_{call}" for call in [*LITELLM, "cached", "embeddings", "responses"]]
OPENLIT_PRICES = str(HERE / "openlit-prices.json")


@dataclass(frozen=True)
class Run:
    """`instead` holds what a sender tells of a call where it cannot tell the truth."""

    venv: str
    roads: str
    calls: tuple
    instead: dict = field(default_factory=dict)
    environment: dict = field(default_factory=dict)
    settings: dict = field(default_factory=dict)
    busy: int = 0
    direct: bool = False

    def bill(self):
        """The amounts that the ledger must hold, one for each paid call; None for one without a price."""
        return [amount for call in self.calls for amount in self.instead.get(call, CALLS[call])]


def run(venv, roads, *calls, **more):
    return Run(venv, roads, calls, **more)


EACH_SPAN_ALONE = {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1", "OTEL_BSP_MAX_QUEUE_SIZE": "64"}
RUNS = {
    "anthropic-sdk-py": run("main", "otel", "anthropic_one_hour", *SDK_ANTHROPIC),
    "openllmetry-py": run("main", "openllmetry", *SDK_OPENAI, "anthropic_one_hour", *SDK_ANTHROPIC),
    "openinference": run(
        "main", "openinference", "openai_chat", "openai_stream", "openai_fail", "openai_tool", "openai_responses", "openai_embeddings", *SDK_ANTHROPIC
    ),
    "openlit": run("second", "openlit", *SDK_OPENAI, *SDK_ANTHROPIC, instead={"openai_stream_without_usage": [OPENLIT_GUESS]}),
    "openlit-prices": run(
        "second", "openlit", "openai_chat", "openai_stream", "openai_embeddings", "anthropic_create", "anthropic_stream",
        environment={"OPENLIT_PRICES": OPENLIT_PRICES},
    ),
    "strands": run("second", "strands", "strands_openai", "strands_openai_tool", "strands_anthropic", "strands_anthropic_tool"),
    "langfuse": run(
        "main", "langfuse", "langfuse_openai", "langfuse_openai_stream", "langfuse_openai_embeddings", "langfuse_openai_fail", "langfuse_manual"
    ),
    "pydantic-ai": run(
        "main", "pydantic_ai", "pydantic_ai_openai", "pydantic_ai_openai_tool", "pydantic_ai_anthropic", "pydantic_ai_anthropic_tool",
        "pydantic_ai_anthropic_stream",
    ),
    "logfire": run(
        "main", "logfire", "pydantic_ai_anthropic", "openai_chat", "openai_stream", "openai_responses", "openai_embeddings", "openai_fail",
        "anthropic_create", "anthropic_stream",
    ),
    "litellm": run("main", "litellm_generic,litellm_openmeter,litellm_otel", *LITELLM),
    "anthropic-sdk-js-and-openllmetry-js": run(
        "node", "openllmetry", "openai_chat", "openai_stream", "openai_unknown", "openai_fail", "anthropic_create", "anthropic_one_hour",
        "anthropic_stream", "anthropic_stream_helper", "anthropic_fail", "anthropic_flaky",
        instead={"openai_chat": [GPT_4O_NOT_CACHED], "openai_stream": [UNPRICED]},
    ),
    "vercel": run("node", "otel", *[call for call in CALLS if call.startswith("ai_")]),
    "cloudevents-py": run("main", "cloudevents", "cloudevents_structured", "cloudevents_binary", "cloudevents_batch"),
    "cloudevents-js": run("node", "cloudevents", "cloudevents_structured", "cloudevents_binary"),
    "client": run("main", "client", "client_openai", "client_anthropic"),
    "client-and-spans": run("main", "client,openllmetry,openinference", "client_openai", "client_anthropic"),
    # Every road of one call at once, each span in a request of its own.
    "claude-by-all": run(
        "main", "openllmetry,openinference,pydantic_ai,langfuse", "pydantic_ai_anthropic", environment=EACH_SPAN_ALONE
    ),
    "gpt-by-all": run(
        "main", "openllmetry,openinference,litellm_generic,litellm_openmeter,litellm_otel", "litellm_openai", environment=EACH_SPAN_ALONE
    ),
    # Two roads without a common key.
    "gpt-by-two": run("main", "openllmetry,langfuse", "langfuse_openai"),
    # The exporters, told twice that the agent is busy.
    "exporter-py-http": run("main", "otel", "anthropic_create", busy=2),
    "exporter-py-http-gzip": run("main", "otel", "anthropic_create", busy=2, environment={"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}),
    "exporter-js-http": run("node", "otel", "anthropic_create", busy=2),
    "exporter-js-json": run("node", "otel", "anthropic_create", busy=2, environment={"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}),
    "exporter-py-grpc": run("main", "otel", "anthropic_create", direct=True, environment={"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}),
    "exporter-js-grpc": run("node", "otel", "anthropic_create", direct=True, environment={"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}),
    "litellm-busy": run("main", "litellm_generic", "litellm_openai", "litellm_anthropic", busy=2),
}


@dataclass
class Result:
    """A run that ended. Its agent goes on until the tests end."""

    run: Run
    agent: Agent
    sent: list
    refused: list
    billed: list


def carry_out(chosen):
    settings = dict(chosen.settings)
    grpc = chosen.environment.get("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc"
    if grpc:
        from agent import free_port

        settings["OTLP_GRPC_LISTEN"] = f"127.0.0.1:{free_port()}"
    agent, provider = Agent(**settings), Provider()
    tee = Tee(agent.port, chosen.busy)
    receiver = f"http://{settings['OTLP_GRPC_LISTEN']}" if grpc else tee.url
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": agent.folder,
        "PROVIDER": provider.url,
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver,
        "OTEL_SERVICE_NAME": "score-worker",
        "SENDERS_MODULES": str(INSTALLED / "node"),
        "LEAD_FACTORY_METRICS_URL": tee.url,
        "LEAD_FACTORY_METRICS_SPOOL": f"{agent.folder}/spool",
        "PYTHONPATH": str(HERE.parents[1] / "clients/python/src"),
        # LiteLLM asks the network for prices otherwise.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        **chosen.environment,
    }
    if chosen.venv == "node":
        command = ["node", str(HERE / "send.mjs")]
    else:
        command = [str(INSTALLED / chosen.venv / "bin/python"), str(HERE / "send.py")]
    ended = subprocess.run(
        [*command, chosen.roads, *chosen.calls], env=environment, cwd=agent.folder, capture_output=True, text=True, timeout=SECONDS_MAX
    )
    tee.close()
    provider.close()
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-4000:]
    return Result(chosen, agent, tee.sent, tee.refused, provider.billed)


class Results:
    """Carries out the runs side by side, each once, and only those that somebody asks for."""

    def __init__(self):
        self.threads = ThreadPoolExecutor(max_workers=int(os.environ.get("SENDERS_AT_ONCE", "2")))
        self.lock = threading.Lock()
        self.futures = {}

    def begin(self, name):
        with self.lock:
            if name not in self.futures:
                self.futures[name] = self.threads.submit(carry_out, RUNS[name])
            return self.futures[name]

    def __getitem__(self, name):
        return self.begin(name).result()

    def close(self):
        self.threads.shutdown(cancel_futures=True)
        for future in self.futures.values():
            if future.done() and not future.cancelled() and future.exception() is None:
                future.result().agent.close()
