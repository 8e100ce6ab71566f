"""Single posts, as workers make them: charges, some credits, some retold with a higher revision, some told twice although answered,
some looked up as soon as they are answered."""

import json
import random
import time
from decimal import Decimal

from . import names, wire
from .lane import Request, Wrong
from .sums import Sums, exact, pico

CREDITS_SHARE, REVISED_SHARE, REPEATED_SHARE, LOOKED_UP_SHARE = 0.03, 0.03, 0.02, 0.01
# A revision or a repeat follows within this.
FOLLOWS_SECONDS_MAX = 3.0


class Post:
    """One event, its present amount, and what of it has been answered."""

    __slots__ = ("fields", "event", "amount_pico", "revised_pico", "repeats", "looked_up")

    def __init__(self, rng, number, now):
        service, operation = rng.choice(names.SERVICES), rng.choice(names.OPERATIONS)
        worker, lead = rng.choice(("", rng.choice(names.WORKERS))), rng.choice(("", rng.choice(names.LEADS)))
        amount = rng.choice((f"0.{rng.randrange(10**13):013}", f"{rng.randrange(1, 10**4)}e-06", f"{rng.randrange(100)}.25"))
        self.fields = {"id": f"single-{number}", "time": names.time_of(now), "amount_usd": amount}
        self.fields.update(service=service, operation=operation)
        plan = rng.random()
        self.revised_pico, self.repeats = None, plan > 1 - REPEATED_SHARE
        self.looked_up = 0.5 < plan < 0.5 + LOOKED_UP_SHARE
        if plan < CREDITS_SHARE:
            self.fields.update(kind="credit", amount_usd="-" + amount)
        elif plan < CREDITS_SHARE + REVISED_SHARE:
            self.revised_pico = rng.randrange(10**12)
        if worker:
            self.fields["worker"] = worker
        if lead:
            self.fields["lead_id"] = lead
        self.amount_pico = pico(self.fields["amount_usd"])
        self.event = names.event(names.day_of(now), service, operation, worker, lead)

    def request(self, kind="single"):
        return Request(kind, wire.post("/costs", json.dumps(self.fields).encode()), content=self)


class Singles:
    def __init__(self, seed, per_second, connections):
        self._rng = random.Random(f"singles/{seed}")
        self.per_second, self.connections = per_second, connections
        self._sums = Sums()
        self.known = 0

    def next(self, number):
        return Post(self._rng, number, time.time()).request()

    def answered(self, request, answer):
        told, post = json.loads(answer.body, parse_float=Decimal, parse_int=Decimal), request.content
        if request.kind == "lookup":
            if [exact(event["amount_usd"]) for event in told["events"]] != [post.amount_pico]:
                raise Wrong("not what was recorded just before")
            return None
        counts = int(told["accepted"]), int(told["duplicates"]), int(told.get("revised", 0))
        retried = request.tries > 1
        if request.kind == "single":
            self._expect(counts, (1, 0, 0), (0, 1, 0) if retried else None)
            self.known += counts[1]
            self._sums.add(post.event, post.amount_pico)
            return self._following(post)
        if request.kind == "repeat":
            self._expect(counts, (0, 1, 0), None)
        else:
            unchanged = post.revised_pico == post.amount_pico
            self._expect(counts, (0, 0, 1), (0, 1, 0) if retried or unchanged else None)
            self._sums.adjust(post.event, post.revised_pico - post.amount_pico)
        return None

    def _expect(self, counts, usual, after_retry):
        if counts not in (usual, after_retry):
            raise Wrong(f"{counts} and not {usual}")

    def _following(self, post):
        after = self._rng.random() * FOLLOWS_SECONDS_MAX
        if post.looked_up:
            return [(0.0, Request("lookup", wire.get(f"/events?id={post.fields['id']}"), content=post))]
        if post.repeats:
            return [(after, post.request("repeat"))]
        if post.revised_pico is not None:
            post.fields.update(revision=1, amount_usd=f"{post.revised_pico}e-12")
            return [(after, post.request("revision"))]
        return None

    def sums(self):
        return self._sums
