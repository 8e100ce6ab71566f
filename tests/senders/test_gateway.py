"""LiteLLM's proxy with deploy/gateways/litellm_gate.py: it asks the agent before each call."""

import json
import os
import shutil
import signal
import subprocess
import time

import openai
import pytest
from agent import ROOT, free_port
from provider import Provider

PYTHON = ROOT / "target/senders/gateway/bin"
# It reads much Python before it listens.
START_SECONDS_MAX = 600
MASTER_KEY = "sk-0123456789abcdef0123456789abcdef0123456789abcdef"
ASKED = {"messages": [{"role": "user", "content": "hi"}]}


class Gateway:
    """LiteLLM's proxy before a provider. It has begun to start; `wait` until it has."""

    def __init__(self, folder, provider, agent, **environment):
        shutil.copy(ROOT / "deploy/gateways/litellm_gate.py", folder)
        deployments = {"gpt-4o": "openai/gpt-4o", "claude": "anthropic/claude-sonnet-4-5", "small": "openai/text-embedding-3-small"}
        config = {
            "model_list": [
                {
                    "model_name": name,
                    "litellm_params": {
                        "model": model,
                        "api_base": provider.url + ("/v1" if model.startswith("openai/") else ""),
                        "api_key": "sk-1",
                    },
                }
                for name, model in deployments.items()
            ],
            "litellm_settings": {"callbacks": "litellm_gate.gate", "num_retries": 0},
        }
        (folder / "config.yaml").write_text(json.dumps(config))
        self.port = free_port()
        self.log = folder / "log"
        command = [PYTHON / "litellm", "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(self.port)]
        environment = {
            "PATH": f"{PYTHON}:{os.environ['PATH']}",
            "HOME": str(folder),
            "LITELLM_MASTER_KEY": MASTER_KEY,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "COST_GATE_URL": agent.url,
            "COST_GATE_ESTIMATE_USD": "0.02",
            **environment,
        }
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.client = openai.OpenAI(base_url=f"http://127.0.0.1:{self.port}/v1", api_key=MASTER_KEY, max_retries=0, timeout=60)

    def wait(self):
        until = time.monotonic() + START_SECONDS_MAX
        while "Application startup complete" not in self.log.read_text(errors="replace"):
            assert self.process.poll() is None and time.monotonic() < until, self.log.read_text(errors="replace")
            time.sleep(0.1)

    def chat(self, model="gpt-4o", **more):
        return self.client.chat.completions.create(model=model, **ASKED, **more)

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def test_litellm_asks_before_each_call(new_agent, tmp_path):
    provider = Provider()
    agent = new_agent(DAILY_BUDGET="none", OPENAI_DAILY_CAP="10")
    folders = [tmp_path / "closed", tmp_path / "open"]
    for folder in folders:
        folder.mkdir()
    closed = Gateway(folders[0], provider, agent)
    opened = Gateway(folders[1], provider, agent, COST_GATE_FAILS="open")
    try:
        for gateway in (closed, opened):
            gateway.wait()
        assert closed.chat().choices[0].message.content
        assert len(provider.billed) == 1

        event = {"service": "openai", "operation": "chat", "amount_usd": 10}
        assert agent.post("/costs", event)[0] == 200
        for gateway in (closed, opened):
            for call in (
                gateway.chat,
                lambda gateway=gateway: gateway.chat(stream=True),
                lambda gateway=gateway: gateway.client.embeddings.create(model="small", input="hi"),
            ):
                with pytest.raises(openai.PermissionDeniedError, match="Budget openai-daily has 0 USD left"):
                    call()
        assert len(provider.billed) == 1, "what is refused is never called"
        assert closed.chat("claude").choices, "the budget of one provider does not stop another"
        assert len(provider.billed) == 2

        agent.kill()
        with pytest.raises(openai.InternalServerError, match="cannot tell") as told:
            closed.chat()
        assert told.value.status_code == 503
        assert len(provider.billed) == 2
        assert opened.chat().choices
        assert len(provider.billed) == 3
        agent.start()
        with pytest.raises(openai.PermissionDeniedError):
            closed.chat()
        with pytest.raises(openai.PermissionDeniedError):
            opened.chat()
        assert len(provider.billed) == 3
    finally:
        closed.close()
        opened.close()
        provider.close()
