"""Calls whose cost the agent works out. Guards against: tokens that are priced twice, not at all, or as others."""

import json
import time
import unittest
from decimal import Decimal

from support import Case  # First: it knows the path to the sources.

from lead_factory_metrics import Refused

from answers import ANTHROPIC, OPENAI_CHAT, OPENAI_RESPONSE, as_object

EMBEDDING = {"object": "list", "model": "text-embedding-3-small", "usage": {"prompt_tokens": 7, "total_tokens": 7}}
GEMINI = {
    "model_version": "gemini-2.5-pro",
    "response_id": "gem-1",
    "usage_metadata": {
        "prompt_token_count": 1000,
        "cached_content_token_count": 800,
        "candidates_token_count": 30,
        "thoughts_token_count": 20,
        "total_token_count": 1050,
    },
}
#: Worked out by hand from the providers' prices per million tokens.
CALLS = [
    ("openai", OPENAI_CHAT, Decimal("0.002")),  # 200 × 2.50 + 800 × 1.25 + 50 × 10
    ("openai", OPENAI_RESPONSE, Decimal("0.002")),
    ("anthropic", ANTHROPIC, Decimal("0.002355")),  # 100 × 3 + 300 × 3.75 + 600 × 0.30 + 50 × 15
    ("openai", EMBEDDING, Decimal("0.00000014")),  # 7 × 0.02
    ("google", GEMINI, Decimal("0.00085")),  # 200 × 1.25 + 800 × 0.125 + 50 × 10
]


class Priced(Case):
    def test_whole_answers_cost_what_the_provider_bills(self):
        agent = self.agent()
        client = self.client(agent)
        for number, (service, answer, cost) in enumerate(CALLS):
            with self.subTest(answer["model"] if "model" in answer else "gemini"):
                client.record(service, f"op-{number}", usage=as_object(answer) if number % 2 else answer)
                self.assertTrue(client.flush())
                self.assertEqual(agent.total(operation=f"op-{number}"), cost)
        self.assertEqual(client.stats()["rejected"], 0)

    def test_an_answer_recorded_again_counts_once(self):
        agent = self.agent()
        client = self.client(agent)
        for _ in range(3):
            client.record("openai", "chat", usage=OPENAI_CHAT)
            client.flush()
        self.assertEqual((agent.total(), client.stats()["recorded"], client.stats()["duplicates"]), (Decimal("0.002"), 1, 2))

    def test_an_id_with_another_cost_is_a_mistake_that_is_told(self):
        agent = self.agent()
        client = self.client(agent)
        with self.assertLogs("lead_factory_metrics") as logs:
            for cost in ("0.5", "0.25"):
                client.record("openai", "chat", cost, id="same")
                client.flush()
        self.assert_logged(logs, "amount_usd: differs from what was recorded")
        self.assertEqual((agent.total(), client.stats()["rejected"]), (Decimal("0.5"), 1))

    def test_counts_of_ones_own_and_a_model(self):
        agent = self.agent()
        client = self.client(agent)
        client.record("openai", "chat", usage={"input_tokens": 1000, "cached_input_tokens": 800, "output_tokens": 50}, model="gpt-4o")
        client.flush()
        self.assertEqual(agent.total(), Decimal("0.002"))

    def test_a_model_that_nobody_knows_is_recorded_without_a_price(self):
        agent = self.agent()
        client = self.client(agent)
        client.record("openai", "chat", usage={**OPENAI_CHAT, "model": "my-own-model"})
        client.flush()
        (event,) = agent.events()
        self.assertEqual((event["amount_usd"], event["unpriced"], event["usage"]["input_tokens"]), (0, True, 1000))

    def test_usage_that_only_the_agent_can_read(self):
        agent = self.agent()
        client = self.client(agent)
        client.record("cohere", "chat", usage={"billed_units": {"input_tokens": 5, "output_tokens": 3}}, model="command-r")
        client.flush()
        self.assertEqual(agent.total(), Decimal("0.00000255"))  # 5 × 0.15 + 3 × 0.60 per million

    def test_a_call_that_a_tracer_tells_of_as_well_counts_once(self):
        def text(key, value):
            return {"key": key, "value": {"stringValue": value}}

        def count(key, value):
            return {"key": key, "value": {"intValue": str(value)}}

        told = [text("gen_ai.operation.name", "chat"), text("gen_ai.provider.name", "openai"), text("gen_ai.response.id", "chatcmpl-1")]
        told += [text("gen_ai.request.model", "gpt-4o"), text("gen_ai.response.model", "gpt-4o-2024-08-06")]
        told += [count("gen_ai.usage.input_tokens", 1000), count("gen_ai.usage.output_tokens", 50)]
        told += [count("gen_ai.usage.cache_read.input_tokens", 800)]
        end = time.time_ns()
        span = dict(traceId="01" * 16, spanId="02" * 8, name="chat gpt-4o", kind=3, attributes=told)
        span.update(startTimeUnixNano=str(end - 10**9), endTimeUnixNano=str(end))
        spans = {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "opentelemetry.instrumentation.openai.v1"}, "spans": [span]}]}]}
        for tracer_first in (True, False):
            agent = self.agent(f"agent-{tracer_first}")
            client = self.client(agent)

            def trace():
                answer = client._agent.post("/v1/traces", json.dumps(spans).encode(), "application/json", 10)
                self.assertEqual(answer.status, 200, answer.body)

            if tracer_first:
                trace()
            client.record("openai", "chat", usage=OPENAI_CHAT, lead_id="lead-7")
            self.assertTrue(client.flush())
            if not tracer_first:
                trace()
            with self.subTest(tracer_first=tracer_first):
                self.assertEqual([event["amount_usd"] for event in agent.events()], [Decimal("0.002")])

    def test_money_can_be_reserved_by_tokens(self):
        agent = self.agent(DAILY_BUDGET="0.01")
        client = self.client(agent)
        with client.reserve("openai", "chat", usage={"input_tokens": 1000, "output_tokens": 100}, model="gpt-4o") as hold:
            self.assertTrue(hold.is_reserved)
            self.assertEqual(agent.held()[0]["estimated_cost_usd"], Decimal("0.0035"))
            hold.settle(usage=OPENAI_CHAT)
        with self.assertRaises(Refused):
            with client.reserve("openai", "chat", usage={"input_tokens": 10_000}, model="gpt-4o"):
                self.fail("the block runs")

    def test_a_hold_is_settled_by_the_usage(self):
        agent = self.agent()
        client = self.client(agent)
        with client.reserve("anthropic", "chat", 1) as hold:
            hold.settle(usage=as_object(ANTHROPIC))
        with client.reserve("openai", "chat", 1, model="gpt-4o") as hold:
            self.assertTrue(hold.is_reserved)
            hold.settle(usage=OPENAI_CHAT["usage"])

        @client.reserve("openai", "chat", 1)
        def ask():
            return as_object(OPENAI_CHAT)

        ask()
        client.flush()
        self.assertEqual((agent.total(), agent.held()), (Decimal("0.006355"), []))


if __name__ == "__main__":
    unittest.main()
