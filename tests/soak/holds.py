"""Reservations: made, and then settled, settled as an event, released, left to expire, or settled after that."""

import json
import random
import time
from decimal import Decimal

from . import names, wire
from .lane import Request, Wrong
from .sums import Sums, dollars, exact, pico

# What becomes of a reservation, and of how many in a hundred.
COMMIT, AS_EVENT, RELEASE, EXPIRE, COMMIT_LATE = "commit", "as_event", "release", "expire", "commit_late"
PLANS = [(COMMIT, 62), (AS_EVENT, 8), (RELEASE, 20), (EXPIRE, 5), (COMMIT_LATE, 5)]
TTL_SECONDS, TTL_SHORT_SECONDS = 60, 1
WORK_SECONDS_MAX = 1.0
# After the end of a short hold, so that it is settled late for certain.
LATE_SECONDS = 2.5
STATES = {COMMIT: "committed", AS_EVENT: "committed", RELEASE: "released", EXPIRE: "expired", COMMIT_LATE: "committed"}


class Hold:
    __slots__ = ("id", "plan", "fields", "estimate_pico", "amount_pico", "event")

    def __init__(self, rng, number):
        self.id = f"hold-{number}"
        self.plan = rng.choices([plan for plan, _ in PLANS], [share for _, share in PLANS])[0]
        self.estimate_pico = rng.randrange(10**11)
        # Above the estimate, too: the cost is recorded in full.
        self.amount_pico = rng.randrange(3 * self.estimate_pico // 2 + 1)
        self.fields = {"service": names.HOLD_SERVICE, "operation": rng.choice(names.OPERATIONS), "worker": rng.choice(names.WORKERS)}
        self.fields["lead_id"] = rng.choice(names.LEADS)
        self.event = None

    def reserve(self):
        fields = {**self.fields, "id": self.id, "estimated_cost_usd": dollar_text(self.estimate_pico)}
        fields["ttl_seconds"] = TTL_SHORT_SECONDS if self.plan in (EXPIRE, COMMIT_LATE) else TTL_SECONDS
        return Request("reserve", wire.post("/reservations", json.dumps(fields).encode()), content=self, expected=(200, 201))

    def finish(self):
        """The request that ends it as planned, to be sent a little later. The cost is that of now."""
        now = time.time()
        fields = self.fields
        self.event = names.event(names.day_of(now), fields["service"], fields["operation"], fields["worker"], fields["lead_id"])
        cost = {"amount_usd": dollar_text(self.amount_pico), "time": names.time_of(now)}
        if self.plan == RELEASE:
            path, body = f"/reservations/{self.id}/release", b""
        elif self.plan == AS_EVENT:
            path, body = "/costs", json.dumps({**self.fields, **cost, "id": self.id}).encode()
        else:
            path, body = f"/reservations/{self.id}/commit", json.dumps(cost).encode()
        return Request("settle", wire.post(path, body), content=self)


def dollar_text(amount_pico):
    return format(dollars(amount_pico), "f")


class Holds:
    connections = 16

    def __init__(self, seed, per_second):
        self._rng = random.Random(f"holds/{seed}")
        self.per_second = per_second
        self._sums = Sums()
        # id → state, and the amount in pico-dollars when committed
        self.states = {}
        self.known = 0

    def next(self, number):
        return Hold(self._rng, number).reserve()

    def answered(self, request, answer):
        told, hold = json.loads(answer.body, parse_float=Decimal, parse_int=Decimal), request.content
        if request.kind == "reserve":
            return self._reserved(request, answer.status, told, hold)
        if hold.plan == AS_EVENT:
            if (told["accepted"], told["duplicates"]) != (1, 0) and (told["duplicates"] != 1 or request.tries == 1):
                raise Wrong("the event of a reservation")
        elif told["reservation_id"] != hold.id or told["state"] != STATES[hold.plan]:
            raise Wrong("another state")
        if hold.plan == RELEASE:
            self.states[hold.id] = ("released", None)
            return None
        if hold.plan != AS_EVENT and exact(told["amount_usd"]) != hold.amount_pico:
            raise Wrong("another amount")
        self.states[hold.id] = ("committed", hold.amount_pico)
        self._sums.add(hold.event, hold.amount_pico)
        return None

    def _reserved(self, request, status, told, hold):
        if told["reservation_id"] != hold.id or told["state"] != "held" or exact(told["estimated_cost_usd"]) != hold.estimate_pico:
            raise Wrong("another reservation")
        if status == 200 and request.tries == 1:
            raise Wrong("granted before it was asked for")
        self.known += status == 200
        self.states[hold.id] = ("expired", None)
        if hold.plan == EXPIRE:
            return None
        after = LATE_SECONDS if hold.plan == COMMIT_LATE else self._rng.random() * WORK_SECONDS_MAX
        return [(after, hold.finish())]

    def sums(self):
        return self._sums
