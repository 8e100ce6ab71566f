"""What workers do: a sequence of operations that follows from a seed.

Each operation can be sent again under the same ids until it is answered. `apply` says what it changes, in its script or in a copy of that.
"""

import datetime
import json
import random
import signal
import time

from agent import Gone
from model import pico

SETTLED_MAX_SECONDS = 30


class Operation:
    """A request that may be repeated."""

    is_atomic = True

    def __init__(self, method, path, body, apply, content_type="application/json", is_done=None):
        self.method, self.path, self.body, self.apply = method, path, body, apply
        self.content_type = content_type
        self.is_done = is_done or (lambda status: status in (200, 201))

    def attempt(self, client):
        """Sends it. Whatever is not done raises [`Gone`], but an answer that must not be."""
        status, body = client.ask(self.method, self.path, self.body, self.content_type)
        if self.is_done(status):
            return
        if status == 503:
            raise Gone(body.decode())
        raise AssertionError(f"{self.method} {self.path} {self.body!r}: {status} {body.decode()}")


class PriceArrives:
    """The settings get a price, and what waits for it is rated."""

    is_atomic = False

    def __init__(self, model_name, per_token, apply):
        self.model_name, self.per_token, self.apply = model_name, per_token, apply

    def attempt(self, client):
        settings = client.agent.settings
        table = f'\n[[price]]\nservice = "*"\nmodel = "{self.model_name}"\nunit = "input_tokens"\nusd = "{self.per_token}"\n'
        text = settings.read_text()
        if table not in text:
            settings.write_text(text + table)
        client.agent.signal(signal.SIGHUP)
        end = time.monotonic() + SETTLED_MAX_SECONDS
        while any(item["model"] == self.model_name for item in client.json("/unpriced")):
            if time.monotonic() > end:
                raise AssertionError(f"{self.model_name} has a price and is not rated")
            time.sleep(0.01)


class Import:
    """A file is imported by the command line, in several requests."""

    is_atomic = False

    def __init__(self, lines, apply):
        self.lines, self.apply = lines, apply

    def attempt(self, client):
        path = client.agent.folder / "import.jsonl"
        path.write_text("\n".join(self.lines) + "\n")
        done = client.agent.run_while_running("import", "--format", "jsonl", "--url", f"http://{client.agent.address}", str(path))
        if done.returncode == 1:
            raise Gone(done.stderr)
        assert done.returncode == 0, done.stderr


class Script:
    """Operations without end; `lane` keeps the ids of several scripts apart."""

    def __init__(self, seed, model, lane="", with_files=False, padding_bytes=0):
        self.random, self.model, self.lane = random.Random(seed), model, lane
        self.with_files, self.padding_bytes, self.number = with_files, padding_bytes, 0
        now = datetime.datetime.now(datetime.timezone.utc)
        self.times = [(now - datetime.timedelta(hours=hours, seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ") for hours in (0, 5, 30)]
        # By id: what was sent of events that may be revised.
        self.sent, self.sent_holds, self.mysteries = {}, {}, 0

    def amount(self):
        return f"0.{self.random.randrange(10**12):012}"

    def event(self):
        self.number += 1
        chance = self.random
        event = {"id": f"{self.lane}e{self.number}", "service": f"{self.lane}s{chance.randrange(3)}", "time": chance.choice(self.times)}
        for name, values in (("operation", 3), ("worker", 40), ("lead_id", 5), ("model", 3)):
            if chance.random() < 0.7:
                event[name] = f"{name[0]}{chance.randrange(values)}"
        event["amount_usd"] = self.amount()
        if self.padding_bytes:
            event["attributes"] = {"padding": "x" * self.padding_bytes}
        if chance.random() < 0.1:
            event["kind"], event["amount_usd"] = "credit", "-" + event["amount_usd"]
        return event

    def next(self):
        kinds = ["single"] * 6 + ["batch"] * 3 + ["again"] * 2 + ["revision"] * 3 + ["reserve"] * 4 + ["settle"] * 3
        if self.with_files:
            kinds += ["mystery"] * 2 + ["price"] + ["import"]
        return getattr(self, self.random.choice(kinds))()

    def recorded(self, event, amount=None):
        self.sent[event["id"]] = event
        self.model.record(event, pico(event["amount_usd"]) if amount is None else amount)

    def single(self):
        event = self.event()
        return Operation("POST", "/costs", json.dumps(event), lambda script: script.recorded(event))

    def batch(self):
        events = [self.event() for _ in range(self.random.randrange(2, 20))]
        known = [self.random.choice(list(self.sent.values()))] if self.sent and self.random.random() < 0.5 else []
        lines = "\n".join(map(json.dumps, events + known))
        return Operation("POST", "/costs", lines, lambda script: [script.recorded(event) for event in events], "application/x-ndjson")

    def again(self):
        if not self.sent:
            return self.single()
        event = self.random.choice(list(self.sent.values()))
        return Operation("POST", "/costs", json.dumps(event), lambda script: None)

    def revision(self):
        charges = [event for event in self.sent.values() if "kind" not in event and "usage" not in event]
        if not charges:
            return self.single()
        event = dict(self.random.choice(charges))
        event["revision"], event["amount_usd"] = event.get("revision", 0) + 1, self.amount()
        return Operation("POST", "/costs", json.dumps(event), lambda script: script.recorded(event))

    def reserve(self):
        self.number += 1
        hold, estimate = f"{self.lane}r{self.number}", self.amount()
        body = {"id": hold, "service": f"{self.lane}s0", "operation": "held", "estimated_cost_usd": estimate, "ttl_seconds": 86_400}
        body["worker"] = f"w{self.random.randrange(40)}"

        def apply(script):
            script.model.holds[hold] = (pico(estimate), "held")
            script.sent_holds[hold] = body

        return Operation("POST", "/reservations", json.dumps(body), apply)

    def settle(self):
        held = [hold for hold, (_, state) in self.model.holds.items() if state == "held"]
        if not held:
            return self.reserve()
        hold = self.random.choice(held)
        estimate, request = self.model.holds[hold][0], self.sent_holds[hold]
        when = self.random.choice(self.times)
        if self.random.random() < 0.3:

            def released(script):
                script.model.holds[hold] = (estimate, "released")

            return Operation("POST", f"/reservations/{hold}/release", "{}", released)
        cost = self.amount()
        event = {"id": hold, "service": request["service"], "operation": "held", "worker": request["worker"], "time": when}

        def committed(script):
            script.model.holds[hold] = (estimate, "committed")
            script.model.record(event, pico(cost))

        if self.random.random() < 0.3:
            # A worker that lost its answer records the cost under the hold's id.
            return Operation("POST", "/costs", json.dumps({**event, "amount_usd": cost}), committed)
        body = json.dumps({"amount_usd": cost, "time": when})
        return Operation("POST", f"/reservations/{hold}/commit", body, committed)

    # --- what needs files ---

    def mystery(self):
        event = self.event()
        event.pop("kind", None)
        event.pop("amount_usd")
        event["model"], tokens = f"mystery-{self.mysteries}", self.random.randrange(1, 1_000_000)
        event["usage"] = {"input_tokens": tokens}

        def apply(script):
            script.recorded(event, 0)
            script.model.unpriced.add(event["id"])

        return Operation("POST", "/costs", json.dumps(event), apply)

    def price(self):
        name, per_token = f"mystery-{self.mysteries}", f"0.{self.random.randrange(1, 10**9):012}"
        self.mysteries += 1

        def apply(script):
            for event in list(script.model.unpriced):
                tokens = script.sent[event]["usage"]["input_tokens"]
                script.model.record(script.sent[event], tokens * pico(per_token))
            script.model.unpriced.clear()

        return PriceArrives(name, per_token, apply)

    def import_(self):
        events = [self.event() for _ in range(50)]
        return Import([json.dumps(event) for event in events], lambda script: [script.recorded(event) for event in events])


setattr(Script, "import", Script.import_)
