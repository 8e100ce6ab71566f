"""Batches of events as lines of JSON. They are prepared; only the ids and the times are new each time."""

import json
import random
import time
from collections import Counter

from . import names, wire
from .lane import Request, Wrong
from .sums import Sums, pico

TEMPLATES = 16
DAY_SECONDS = 86_400
# Most events are of now, some come late: from the day before and the one before that.
DAYS_AGO = (0,) * 18 + (1, 2)
NUMBER = b"@NUMBER@"


class Line:
    """One event of a template."""

    def __init__(self, rng, index):
        self.days_ago = rng.choice(DAYS_AGO)
        self.service, self.operation = rng.choice(names.SERVICES), rng.choice(names.OPERATIONS)
        tiny, long, large = f"{rng.randrange(10**6)}e-9", f"0.{rng.randrange(10**12):012}", f"{rng.randrange(100)}.{rng.randrange(1000):03}"
        self.amount = rng.choice((tiny, long, large))
        self.worker = self.lead = ""
        self.input_tokens = 0
        fields = {"id": f"batch-{NUMBER.decode()}-{index:04}", "time": f"@DAY{self.days_ago}@"}
        fields.update(service=self.service, operation=self.operation, amount_usd=self.amount)
        # One in ten has all that an event can have.
        if rng.randrange(10) == 0:
            self.worker, self.lead = rng.choice(names.WORKERS), rng.choice(names.LEADS)
            self.input_tokens = rng.randrange(10_000)
            fields.update(worker=self.worker, lead_id=self.lead, batch_id=rng.choice(names.BATCHES), model=f"model-{rng.randrange(5)}")
            fields.update(usage={"input_tokens": self.input_tokens}, duration_seconds=rng.randrange(5000) / 1000)
        self.json = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))

    def event(self, day):
        return names.event(day, self.service, self.operation, self.worker, self.lead, self.input_tokens)


class Batches:
    connections = 4

    def __init__(self, seed, events_per_second, events):
        rng = random.Random(f"batches/{seed}")
        self.per_second = events_per_second / events
        self._events = events
        self.known = 0
        self._templates = [[Line(rng, index) for index in range(events)] for _ in range(TEMPLATES)]
        self._bodies = ["\n".join(line.json for line in lines).encode() for lines in self._templates]
        self._recorded = Counter()  # (template, when sent, in whole days) → batches

    def next(self, number):
        template, now = number % TEMPLATES, int(time.time())
        body = self._bodies[template].replace(NUMBER, b"%08d" % number)
        for days_ago in set(DAYS_AGO):
            body = body.replace(b"@DAY%d@" % days_ago, names.time_of(now - days_ago * DAY_SECONDS).encode())
        return Request("batch", wire.post("/costs", body, "application/x-ndjson"), content=(template, now // DAY_SECONDS))

    def answered(self, request, answer):
        told = json.loads(answer.body)
        new, known = told["accepted"], told["duplicates"]
        # All or nothing; known already only if it was sent before.
        if sorted((new, known)) != [0, self._events] or set(told) != {"accepted", "duplicates"} or (known and request.tries == 1):
            raise Wrong("not the whole batch")
        self.known += known > 0
        self._recorded[request.content] += 1

    def sums(self):
        sums = Sums()
        for (template, day), times in self._recorded.items():
            for line in self._templates[template]:
                of = names.day_of((day - line.days_ago) * DAY_SECONDS)
                sums.add(line.event(of), pico(line.amount), times)
        return sums
