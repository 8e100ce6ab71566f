"""The Python client with what real SDKs answer: the provider's bill, to the last digit, under the provider's ids.

Guards against: a new version of an SDK whose answers are taken for something else, as when Anthropic's got a field that OpenAI's has.
"""

import os
import sys

import anthropic
import openai
import pytest
from agent import ROOT
from bill import CLAUDE, CLAUDE_HOUR, EMBEDDING, GPT_4O
from ledger import amounts, told
from provider import Provider

os.environ["LEAD_FACTORY_METRICS_URL"] = "off"  # What is imported must not look for an agent of its own.
sys.path.insert(0, str(ROOT / "clients/python/src"))
from lead_factory_metrics import Client  # noqa: E402

QUESTION = [{"role": "user", "content": "q"}]
AN_HOUR = [{"role": "user", "content": "please-one-hour"}]


def last(stream, usage_is_there):
    """What a stream ends with, which has the usage."""
    return [event for event in stream if usage_is_there(event)][-1]


def calls(provider):
    """Service, answer, bill."""
    gpt = openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none")
    claude = anthropic.Anthropic(base_url=provider.url, api_key="none")
    chat = dict(model="gpt-4o", messages=QUESTION)
    message = dict(model="claude-sonnet-4-5", max_tokens=100)
    yield "openai", gpt.chat.completions.create(**chat), GPT_4O
    streamed = gpt.chat.completions.create(**chat, stream=True, stream_options={"include_usage": True})
    yield "openai", last(streamed, lambda chunk: chunk.usage), GPT_4O
    yield "openai", gpt.responses.create(model="gpt-4o", input="q"), GPT_4O
    events = gpt.responses.create(model="gpt-4o", input="q", stream=True)
    yield "openai", last(events, lambda event: event.type == "response.completed"), GPT_4O
    yield "openai", gpt.embeddings.create(model="text-embedding-3-small", input="x"), EMBEDDING
    yield "anthropic", claude.messages.create(**message, messages=QUESTION), CLAUDE
    yield "anthropic", claude.messages.create(**message, messages=AN_HOUR), CLAUDE_HOUR
    with claude.messages.stream(**message, messages=QUESTION) as stream:
        yield "anthropic", stream.get_final_message(), CLAUDE


@pytest.fixture
def provider():
    made = Provider()
    yield made
    made.close()


@pytest.mark.parametrize("form", ["object", "dict"])
def test_whole_answers_of_the_sdks_cost_what_was_billed(new_agent, provider, tmp_path, form):
    agent = new_agent(DAILY_BUDGET="none", MONTHLY_BUDGET="none")
    client = Client(agent.url, spool=str(tmp_path))
    bill, ids = [], []
    for service, answer, cost in calls(provider):
        value = answer if form == "object" else answer.model_dump()
        ids.append(client.record(service, "chat", usage=value))
        if cost is not EMBEDDING:  # Its answer has no id.
            client.record(service, "chat", usage=value)  # A wrapper and its caller both record: still one call.
        bill.append(cost)
    assert client.flush()
    assert sorted(amounts(agent).elements()) == sorted(bill), told(agent)
    # All but embeddings, whose answers have no id, are under the provider's own.
    billed = {answer_id for answer_id, model in provider.billed if "embedding" not in model}
    assert billed <= set(ids), (billed, ids)
    client.close()


def test_a_hold_is_settled_by_the_sdks_answer(new_agent, provider, tmp_path):
    agent = new_agent()
    client = Client(agent.url, spool=str(tmp_path))
    claude = anthropic.Anthropic(base_url=provider.url, api_key="none")
    with client.reserve("anthropic", "chat", "0.05") as hold:
        answer = claude.messages.create(model="claude-sonnet-4-5", max_tokens=100, messages=QUESTION)
        hold.settle(usage=answer)
    assert [event["amount_usd"] for event in agent.events()] == [CLAUDE], told(agent)
    assert agent.json("/reservations?state=held") == []
    client.close()
