"""docs/recording.md: each block, run as it stands, is one charge of the true price.

Only addresses are put in: the agent's, the provider's where a block names it, and what a user has in the environment (keys, base addresses).
"""

import json
import os
import pathlib
import re
import subprocess

import pytest
from agent import ROOT, program
from bill import CLAUDE, CODEX, GEMINI, GPT_4O
from ledger import assert_bill
from provider import Provider
from runs import INSTALLED

GUIDE = ROOT / "docs/recording.md"
# Each section's blocks: how they are run, and what the call costs.
EXPECTED = {
    "LiteLLM": [("python", CLAUDE), ("python", CLAUDE)],
    "OpenTelemetry in Python": [("python", CLAUDE), ("python", GPT_4O)],
    "OpenTelemetry in JavaScript": [("js", CLAUDE)],
    "Claude Code": [("sh", CLAUDE)],
    "Codex": [("toml", CODEX)],
    "Gemini CLI": [("json", GEMINI)],
    "OpenAI SDK": [("python", GPT_4O)],
    "Plain HTTP": [("sh", CLAUDE)],
    "Shell": [("sh", GPT_4O), ("sh", CLAUDE)],
    "CloudEvents": [("sh", CLAUDE)],
}
CASES = [(section, number) for section, blocks in EXPECTED.items() for number in range(len(blocks))]


def sections():
    found = {}
    for part in GUIDE.read_text().split("\n## ")[1:]:
        title, text = part.split("\n", 1)
        blocks = re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        if blocks:
            found[title] = blocks
    return found


def test_every_block_of_the_guide_is_run():
    assert {title: [kind for kind, _ in blocks] for title, blocks in sections().items()} == {
        title: [kind for kind, _ in blocks] for title, blocks in EXPECTED.items()
    }


@pytest.fixture
def provider():
    made = Provider()
    yield made
    made.close()


@pytest.mark.parametrize("section,number", CASES, ids=[f"{section}-{number}" for section, number in CASES])
def test_a_block_records_the_true_price_once(new_agent, provider, tmp_path, section, number):
    agent = new_agent()
    kind, block = sections()[section][number]
    here = block.replace("localhost:8000", f"127.0.0.1:{agent.port}").replace("https://api.openai.com", provider.url)
    # A block that names no agent is told where it is by the client's variable.
    (claude,) = INSTALLED.glob("agents/node_modules/@anthropic-ai/claude-code-linux-*")
    (tmp_path / "lead-factory-metrics").symlink_to(pathlib.Path(program()).resolve())
    environment = {
        "PATH": f"{tmp_path}:{claude}:{os.environ['PATH']}",
        "METRICS_HOST": "127.0.0.1",
        "METRICS_PORT": str(agent.port),
        "HOME": str(tmp_path),
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": f"{provider.url}/v1",
        "ANTHROPIC_API_KEY": "none",
        # The AI SDK has the version of the interface in its base address.
        "ANTHROPIC_BASE_URL": f"{provider.url}/v1" if kind == "js" else provider.url,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LEAD_FACTORY_METRICS_URL": agent.url,
        "LEAD_FACTORY_METRICS_SPOOL": str(tmp_path / "spool"),
        "PYTHONPATH": str(ROOT / "clients/python/src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "GEMINI_API_KEY": "none",
        "GOOGLE_GEMINI_BASE_URL": provider.url,
        # Coding agents: no talk with their makers.
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "ANTHROPIC_MODEL": "claude-sonnet-4-5",
    }
    run = {"sh": run_shell, "python": run_python, "js": run_javascript, "toml": run_codex, "json": run_gemini}[kind]
    ended = subprocess.run(
        run(here, tmp_path, provider), env=environment, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-3000:]
    assert_bill(agent, [EXPECTED[section][number][1]])


def run_shell(block, _folder, _provider):
    return ["sh", "-ec", block]


def run_python(block, folder, _provider):
    (folder / "block.py").write_text(block)
    return [str(INSTALLED / "main/bin/python"), "block.py"]


def run_javascript(block, folder, _provider):
    (folder / "block.mjs").write_text(block)
    (folder / "node_modules").symlink_to(INSTALLED / "node/node_modules")
    return ["node", "block.mjs"]


def run_codex(block, folder, provider):
    """The block is a part of the configuration; the rest says where the provider is."""
    (folder / ".codex").mkdir()
    provider_of_ours = f"""model = "gpt-5.1-codex"
model_provider = "here"

[model_providers.here]
name = "here"
base_url = "{provider.url}/v1"
wire_api = "responses"

"""
    pathlib.Path(folder / ".codex/config.toml").write_text(provider_of_ours + block)
    return ["node", str(INSTALLED / "agents/node_modules/@openai/codex/bin/codex.js"), "exec", "--skip-git-repo-check", "Hello"]


def run_gemini(block, folder, _provider):
    """The block is a part of the settings; the rest says that there is a key in the environment."""
    (folder / ".gemini").mkdir()
    settings = {"security": {"auth": {"selectedType": "gemini-api-key"}}, **json.loads(block)}
    (folder / ".gemini/settings.json").write_text(json.dumps(settings))
    return ["node", str(INSTALLED / "agents/node_modules/.bin/gemini"), "--skip-trust", "-m", "gemini-2.5-pro", "-p", "Hello"]
