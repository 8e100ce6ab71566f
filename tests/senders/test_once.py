"""The same call by many roads is one charge: in any order, told again, and over kills in between.

What the senders really sent is kept by the tee and sent again here to agents of their own.
"""

import random

import pytest
from bill import CALLS, CLAUDE, CLAUDE_3_TOO_MANY, GPT_4O
from ledger import assert_bill, told
from tee import Sent, post

# Orders for each tape; the seeds are fixed so that a failure happens again.
ORDERS = 12


def tell(agent, sent):
    status, _, body = post(agent.port, sent)
    assert status in (200, 204), (sent.path, status, body)


@pytest.mark.parametrize("name", ["claude-by-all", "gpt-by-all"])
@pytest.mark.parametrize("seed", range(ORDERS))
def test_one_call_by_all_roads_in_any_order_is_one_charge(results, new_agent, name, seed):
    result, order = results[name], random.Random(seed)
    # Each request twice, as a sender does whose answer was lost.
    requests = [*result.sent, *result.sent]
    order.shuffle(requests)
    agent = new_agent()
    for number, sent in enumerate(requests):
        tell(agent, sent)
        if number in (1, len(requests) // 2):
            agent.kill()
            agent.start()
        # Never twice, not for a moment either. OpenLLMetry's count stands until a better one comes.
        assert sum(event["amount_usd"] for event in agent.events()) in (0, CLAUDE_3_TOO_MANY, *result.run.bill()), told(agent)
    assert_bill(agent, result.run.bill())
    agent.verify()


@pytest.mark.parametrize("name", ["claude-by-all", "gpt-by-all"])
def test_each_road_alone_tells_the_true_price(results, new_agent, name):
    result = results[name]
    for path in {sent.path for sent in result.sent}:
        agent = new_agent()
        for sent in result.sent:
            if sent.path == path:
                tell(agent, sent)
        assert_bill(agent, result.run.bill())


@pytest.mark.runs("litellm")
@pytest.mark.parametrize("path", ["/ingest/litellm", "/api/v1/events", "/v1/traces"])
def test_each_callback_of_litellm_alone_tells_the_whole_bill(results, new_agent, path):
    result, agent = results["litellm"], new_agent()
    sent = [sent for sent in result.sent if sent.path == path]
    assert sent
    for request in sent:
        tell(agent, request)
    assert_bill(agent, result.run.bill())


@pytest.mark.runs("litellm")
@pytest.mark.parametrize("seed", range(4))
def test_the_callbacks_of_litellm_in_any_order_tell_the_bill_once(results, new_agent, seed):
    result, agent = results["litellm"], new_agent()
    requests = [*result.sent, *result.sent]
    random.Random(seed).shuffle(requests)
    for sent in requests:
        tell(agent, sent)
    assert_bill(agent, result.run.bill())


@pytest.mark.parametrize(
    "name", ["openllmetry-py", "openinference", "openlit", "strands", "langfuse", "pydantic-ai", "logfire", "vercel"]
)
def test_a_sender_whose_answers_were_lost_tells_nothing_new(results, new_agent, name):
    result, agent = results[name], new_agent()
    for sent in reversed(result.sent):
        tell(agent, sent)
    agent.kill()
    agent.start()
    for sent in result.sent:
        tell(agent, sent)
    assert_bill(agent, result.run.bill())


def each_span_alone(sent):
    """The spans of a kept request, each in a request of its own, as a sender with other settings would have sent them."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    if not sent.path.endswith("/traces"):
        return [sent]
    whole, alone = ExportTraceServiceRequest.FromString(sent.inflated()), []
    for of_resource in whole.resource_spans:
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                one = ExportTraceServiceRequest()
                resource = one.resource_spans.add(resource=of_resource.resource, schema_url=of_resource.schema_url)
                resource.scope_spans.add(scope=of_scope.scope, schema_url=of_scope.schema_url, spans=[span])
                alone.append(Sent(sent.path, {"Content-Type": "application/x-protobuf"}, one.SerializeToString()))
    return alone


@pytest.mark.parametrize("name", ["openinference", "openlit", "strands", "langfuse", "pydantic-ai", "logfire", "vercel", "openllmetry-py"])
@pytest.mark.parametrize("seed", range(4))
def test_outer_spans_before_or_after_the_calls_within_them_make_no_difference(results, new_agent, name, seed):
    result, agent = results[name], new_agent()
    requests = [alone for sent in result.sent for alone in each_span_alone(sent)]
    assert len(requests) > len(result.sent)
    random.Random(seed).shuffle(requests)
    for number, sent in enumerate(requests):
        tell(agent, sent)
        if number == len(requests) // 2:
            agent.kill()
            agent.start()
    assert_bill(agent, result.run.bill())
    agent.verify()


@pytest.mark.runs("client-and-spans")
@pytest.mark.parametrize("seed", range(3))
def test_a_worker_that_tells_a_call_besides_its_spans_is_one_charge(results, new_agent, seed):
    result, agent = results["client-and-spans"], new_agent()
    requests = [*result.sent, *result.sent]
    random.Random(seed).shuffle(requests)
    for sent in requests:
        tell(agent, sent)
    assert_bill(agent, result.run.bill())
    # Who the call was for is known from one of the roads, and stays.
    assert {event.get("lead_id") for event in agent.events()} == {"L1"}, told(agent)


@pytest.mark.runs("gpt-by-two")
def test_roads_without_a_common_key_are_both_recorded_and_suspected(results):
    agent = results["gpt-by-two"].agent
    assert_bill(agent, [GPT_4O, GPT_4O])
    suspected = agent.json("/events?suspected=true")["events"]
    assert len(suspected) >= 1, told(agent)
    assert agent.metric("lead_factory_ingest_suspected_duplicates_total") == 1
    assert CALLS["langfuse_openai"] == [GPT_4O]


@pytest.mark.runs("gpt-by-two")
@pytest.mark.parametrize("road", ["otlp:opentelemetry.instrumentation.openai", "otlp:langfuse-sdk"])
def test_a_setting_says_which_of_them_charges(results, new_agent, road):
    agent = new_agent(CHARGE_FROM=f"openai={road}")
    for sent in results["gpt-by-two"].sent:
        tell(agent, sent)
    assert_bill(agent, [GPT_4O])


@pytest.mark.runs("openlit-prices", "openllmetry-py")
def test_the_price_book_can_be_had_instead_of_the_senders_own(results, new_agent):
    agent = new_agent(COST_FROM="prices")
    for sent in results["openlit-prices"].sent:
        tell(agent, sent)
    assert_bill(agent, results["openlit-prices"].run.bill())
    assert CLAUDE in results["openlit-prices"].run.bill()
