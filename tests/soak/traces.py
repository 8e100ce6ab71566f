"""Traces of paid calls over OTLP: an agent's span, the model's calls below it, and the noise of HTTP beside them.

Only the calls are charged: half of them say their cost, the others are priced by the tables of `PRICES`. The agent's span repeats what
the calls used.
"""

import json
import random
import time

from . import names, otlp, wire
from .lane import Request, Wrong
from .sums import Sums, pico

CALLS, NOISE = 4, 5
# USD for a million tokens, and the same in pico-dollars for one.
INPUT_USD, OUTPUT_USD = "0.15", "0.60"
INPUT_PICO, OUTPUT_PICO = 150_000, 600_000
PRICES = "".join(
    f'[[price]]\nservice = "{names.CALL_SERVICE}"\nmodel = "soak-*"\nunit = "{unit}"\nusd = "{usd}"\nper = 1_000_000\n\n'
    for unit, usd in (("input_tokens", INPUT_USD), ("output_tokens", OUTPUT_USD))
)
JSON, PROTOBUF = "application/json", "application/x-protobuf"
# Some bodies are sent again after the answer, as by an exporter that did not see it.
REPEATED_SHARE = 0.05


class Traces:
    connections = 4

    def __init__(self, seed, per_second):
        self._rng = random.Random(f"traces/{seed}")
        self._ids = random.Random(f"traces/{seed}/ids")
        self.per_second = per_second
        self._sums = Sums()

    def next(self, number):
        rng, now = self._rng, time.time()
        now_ns = int(now * 1e9)
        trace, agent = self._ids.randbytes(16), self._ids.randbytes(8)
        worker, lead = rng.choice(names.WORKERS), rng.choice(names.LEADS)
        spans, events, used = [], [], [0, 0]
        for index in range(CALLS):
            tokens_in, tokens_out = rng.randrange(1, 5000), rng.randrange(1, 500)
            used[0] += tokens_in
            used[1] += tokens_out
            attributes = call("chat", tokens_in, tokens_out)
            attributes.update({"gen_ai.response.id": f"call-{number}-{index}", "lead_id": lead})
            amount_pico = tokens_in * INPUT_PICO + tokens_out * OUTPUT_PICO
            if index % 2:
                cost = rng.randrange(1, 10**6)
                attributes["gen_ai.usage.cost"] = cost / 10**9
                amount_pico = pico(f"{cost}e-9")
            end_ns = now_ns - index
            spans.append(otlp.Span("chat soak-small", trace, self._ids.randbytes(8), agent, end_ns - 10**9, end_ns, attributes))
            day = names.day_of(end_ns // 10**9)
            events.append((names.event(day, names.CALL_SERVICE, names.CALL_OPERATION, worker, lead, tokens_in), amount_pico))
        for _ in range(NOISE):
            web = {"http.request.method": "POST", "http.response.status_code": 200, "url.full": "https://api.example.org/v1/chat"}
            spans.append(otlp.Span("POST", trace, self._ids.randbytes(8), agent, now_ns - 10**9, now_ns, web))
        spans.append(otlp.Span("invoke_agent", trace, agent, b"", now_ns - 2 * 10**9, now_ns, call("invoke_agent", *used)))
        resource = {"service.name": "soak", "service.instance.id": worker}
        media, body = (JSON, otlp.as_json(resource, spans)) if number % 2 else (PROTOBUF, otlp.as_protobuf(resource, spans))
        return Request("traces", wire.post("/v1/traces", body, media), content=(media, events))

    def answered(self, request, answer):
        media, events = request.content
        # Nothing is said where all was taken.
        if (json.loads(answer.body) if media == JSON else answer.body) != ({} if media == JSON else b""):
            raise Wrong("partial success")
        if request.kind == "traces repeated":
            return None
        for event, amount_pico in events:
            self._sums.add(event, amount_pico)
        if self._rng.random() < REPEATED_SHARE:
            return [(self._rng.random(), Request("traces repeated", request.wire, content=request.content))]
        return None

    def sums(self):
        return self._sums


def call(operation, tokens_in, tokens_out):
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": names.CALL_SERVICE,
        "gen_ai.request.model": "soak-small",
        "gen_ai.usage.input_tokens": tokens_in,
        "gen_ai.usage.output_tokens": tokens_out,
    }
