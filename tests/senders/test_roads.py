"""Every sender, live: what it tells of known calls becomes the provider's own bill, call by call, to the last digit."""

import pytest
from bill import CLAUDE, GPT_4O_NOT_CACHED, LITELLM_GUESS, OPENLIT_GUESS
from ledger import assert_bill, charges, told
from runs import RUNS

SERVICES = {"gpt-4o": "openai", "claude-sonnet-4-5": "anthropic", "text-embedding-3-small": "openai", "gemini-2.5-pro": "google", "my-own-model": "openai"}
WITHOUT_ONE_KEY = {"gpt-by-two"}
# Where LiteLLM's `openmeter` callback comes first: it names no provider, so of a model in no catalogue the events' type is the service.
WITHOUT_PROVIDER = {("litellm", "my-own-model"): "litellm_tokens"}


@pytest.mark.parametrize("name", [name for name in RUNS if name not in WITHOUT_ONE_KEY])
def test_each_paid_call_is_charged_once_at_its_true_price(results, name):
    result = results[name]
    assert all(sent.status in (200, 204) for sent in result.sent), [(sent.path, sent.status) for sent in result.sent]
    assert result.run.direct or result.sent
    assert_bill(result.agent, result.run.bill())


@pytest.mark.parametrize("name", [name for name in RUNS if name not in WITHOUT_ONE_KEY])
def test_it_is_under_the_providers_name_and_the_models(results, name):
    agent = results[name].agent
    for event in charges(agent):
        (model,) = [known for known in SERVICES if event["model"].startswith(known)]
        assert event["service"] in (SERVICES[model], WITHOUT_PROVIDER.get((name, model))), told(agent)
        assert event["operation"] == ("embeddings" if "embedding" in model else "chat"), told(agent)
        assert event["outcome"] == "ok", told(agent)


# LiteLLM's `openmeter` callback does not say what it guessed, so where it comes first too its numbers are taken as they are.
@pytest.mark.parametrize("name", ["openlit", "anthropic-sdk-js-and-openllmetry-js", "anthropic-sdk-py"])
def test_what_a_sender_guessed_is_marked(results, name):
    agent = results[name].agent
    qualities = {OPENLIT_GUESS: "estimated", LITELLM_GUESS: "estimated", GPT_4O_NOT_CACHED: "doubtful"}
    for event in charges(agent):
        if not event.get("unpriced"):
            assert event.get("quality", "exact") == qualities.get(event["amount_usd"], "exact"), told(agent)


@pytest.mark.runs("anthropic-sdk-py")
def test_tokens_are_kept_with_the_charge(results):
    charges = [event for event in results["anthropic-sdk-py"].agent.events() if event["amount_usd"] == CLAUDE]
    assert charges
    for event in charges:
        assert event["usage"]["input_tokens"] == 1000
        assert event["usage"]["cached_input_tokens"] == 600
        assert event["usage"]["cache_write_input_tokens"] == 300
        assert event["usage"]["output_tokens"] == 50
        # Started without service.instance.id: Python's SDK makes one up, which is the worker then.
        assert event["worker"]


@pytest.mark.parametrize("name", [name for name, run in RUNS.items() if run.busy])
def test_a_busy_agent_is_asked_again(results, name):
    result = results[name]
    assert len(result.refused) == result.run.busy
    # The same bytes again, which were recorded then.
    assert {refused.body for refused in result.refused} <= {sent.body for sent in result.sent}
    assert_bill(result.agent, result.run.bill())
