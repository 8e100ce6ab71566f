"""The ledger against the model, over REST, metrics, budgets, reservations and `verify`, when all has been answered."""

import http.client
import json
import random
import subprocess
import time
import urllib.parse
from decimal import Decimal

from . import exposition, names
from .sums import dollars, exact, nearest_float, summed

ANSWER_SECONDS_MAX = 70.0
VERIFY_SECONDS_MAX = 600.0
TRIES, AGAIN_SECONDS = 3, 5.0
# The last short holds have expired by then.
EXPIRED_SECONDS_MAX = 10.0
PAGE_ENTRIES = 1_000
HOLDS_ASKED_MAX = 3_000
DIFFERENCES_SHOWN = 5


class Check:
    """Collects what was compared, and what was not equal."""

    def __init__(self, agent, sums, hold_states, seed):
        self._agent, self._sums, self._holds, self._seed = agent, sums, hold_states, seed
        # name, what was compared, differences
        self.results = []

    def all(self):
        self._note("totals by day, service and operation (REST)", self._by_operation)
        self._note("totals by month (REST)", self._by_month)
        self._note("totals by worker and by lead (REST)", self._by_others)
        self._note("metrics", self._metrics)
        self._note("budgets and their keys", self._budgets)
        self._note("reservations", self._reservations)

    def verify(self):
        """After the program has stopped."""
        self._note("verify", self._verify)

    def _verify(self):
        began = time.monotonic()
        done = self._agent.run("verify", "--output", "json", seconds_max=VERIFY_SECONDS_MAX)
        took = time.monotonic() - began
        differences = []
        if done.returncode != 0:
            differences.append(f"exit code {done.returncode}: {done.stdout[-500:]!r} {done.stderr[-500:]!r}")
        else:
            told = json.loads(done.stdout, parse_float=Decimal, parse_int=Decimal)
            found = {name: told[name] for name in ("events", "adjustments", "problems")}
            found["total"] = exact(told["total_usd"])
            meant = {"events": self._sums.events, "adjustments": self._sums.adjustments, "problems": [], "total": self._sums.total()}
            differences += unequal(found, meant)
        return f"{self._sums.events:,} events, {took:.1f} s", differences

    def _note(self, name, compare):
        """What cannot be compared is a difference; the others are compared all the same."""
        try:
            compared, differences = compare()
        except (ValueError, LookupError, TypeError, OSError, http.client.HTTPException, subprocess.TimeoutExpired) as error:
            compared, differences = "not compared", [repr(error)]
        self.results.append((name, compared, differences))

    def _get(self, path, **query):
        for _ in range(TRIES):
            status, body = self._ask(path, query)
            if status == 200:
                return body
            if status != 503:
                break
            # A grouping of many events has a minute; on a busy machine that may be too little once.
            time.sleep(AGAIN_SECONDS)
        raise ValueError(f"{path} {query}: {status} {body[:300]!r}")

    def _ask(self, path, query):
        connection = http.client.HTTPConnection("127.0.0.1", self._agent.port, timeout=ANSWER_SECONDS_MAX)
        try:
            connection.request("GET", path + ("?" + urllib.parse.urlencode(query) if query else ""))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _json(self, path, **query):
        return json.loads(self._get(path, **query), parse_float=Decimal, parse_int=Decimal)

    def _by_operation(self):
        found = {}
        for day in self._sums.days():
            for service, operations in self._json("/costs/daily", date=day, by="operation").items():
                found.update({(day, service, operation): exact(amount) for operation, amount in operations.items()})
        days = self._sums.days()
        for entry in self._json("/costs/history", **{"from": days[0], "to": days[-1], "by": "operation"}):
            of_day = sum(amount for place, amount in found.items() if place[0] == entry["date"])
            if exact(entry["total_usd"]) != of_day:
                found["history", entry["date"]] = exact(entry["total_usd"])
        return f"{len(found)} sums, {dollars(self._sums.total())} USD", unequal(found, self._sums.net())

    def _by_month(self):
        found, meant = {}, summed(self._sums.net(), lambda place: (place[0][:7], place[1]))
        for month in {month for month, _ in meant}:
            found.update({(month, service): exact(amount) for service, amount in self._json("/costs/monthly", month=month).items()})
        return f"{len(found)} sums", unequal(found, meant)

    def _by_others(self):
        days = self._sums.days()
        found, meant = {}, {}
        for by, amounts in (("worker", self._sums.workers), ("lead", self._sums.leads)):
            told = self._json("/costs", **{"from": days[0], "to": days[-1], "by": by})
            found.update({(by, key): exact(amount) for key, amount in told.items()})
            meant.update(summed(amounts, lambda place, by=by: (by, place[1])))
        return f"{len(found)} sums", unequal(found, meant)

    def _metrics(self):
        wanted = ["cost_usd_total", "credit_usd_total", "daily_cost", "monthly_cost", "reservations_open", "usage_total"]
        wanted = [f"lead_factory_{name}" for name in wanted]
        while True:
            today = names.day_of(time.time())
            series = exposition.read(self._get("/metrics").decode(), *wanted)
            if names.day_of(time.time()) == today:
                break
        cost, credit, daily, monthly, open_holds, usage = wanted
        net = self._sums.net()
        meant = {}

        def expect(metric, amounts, *labels):
            for values, amount in amounts.items():
                meant[metric, tuple(sorted(zip(labels, values)))] = nearest_float(amount)

        expect(cost, summed(self._sums.charges, lambda place: (place[2], place[1])), "operation", "service")
        credits = {place: self._sums.credits[place] for place in net}
        expect(credit, summed(credits, lambda place: (place[1],)), "service")
        for metric, period in ((daily, today), (monthly, today[:7])):
            of_period = {place: amount for place, amount in net.items() if place[0].startswith(period)}
            expect(metric, summed(of_period, lambda place: (place[1],)), "service")
        expired = sum(state == "expired" for state, _ in self._holds.values())
        meant[open_holds, (("state", "held"),)] = 0.0
        meant[open_holds, (("state", "expired"),)] = float(expired)
        meant["input tokens"] = self._sums.input_tokens
        found = {key: float(value) for key, value in series.items() if key[0] != usage}
        # Whole numbers below 2⁵³, so adding up their floats is exact.
        of_usage = [float(value) for (metric, labels), value in series.items() if metric == usage and ("kind", "input_tokens") in labels]
        found["input tokens"] = int(sum(of_usage))
        return f"{len(meant)} series", unequal(found, meant)

    def _budgets(self):
        found, meant = {}, {}
        items = {item["name"]: item for item in self._json("/budgets")}
        net = self._sums.net()
        for name in ("all", "one-service"):
            found[name] = (exact(items[name]["spent_usd"]), exact(items[name]["reserved_usd"]))
        today = items["one-service"]["period_start"][:10]
        meant["all"] = (self._sums.total(), 0)
        meant["one-service"] = (sum(amount for place, amount in net.items() if place[:2] == (today, names.SERVICES[0])), 0)
        found["input-tokens"] = int(items["input-tokens"]["spent_usage"]["input_tokens"])
        meant["input-tokens"] = self._sums.input_tokens
        by_worker = summed(self._sums.workers, lambda place: (place[0][:7], place[1]))
        month = items["workers"]["period_start"][:7]
        for key in items["workers"]["fullest"]:
            found["workers", key["key"]] = exact(key["spent_usd"])
        meant.update({("workers", worker): by_worker[month, worker] for worker in names.WORKERS if (month, worker) in by_worker})
        for lead in names.LEADS:
            item = next(item for item in self._json("/budgets", key=lead) if item["name"] == "leads")
            day = item["period_start"][:10]
            found["leads", lead] = exact(item["spent_usd"])
            meant["leads", lead] = self._sums.leads[day, lead]
        return f"{len(found)} sums", unequal(found, meant)

    def _reservations(self):
        deadline = time.monotonic() + EXPIRED_SECONDS_MAX
        while self._json("/reservations", state="held", limit="1") and time.monotonic() < deadline:
            time.sleep(0.1)
        found = {name: "held" for name in self._listed("held")}
        found.update({name: "expired" for name in self._listed("expired")})
        meant = {name: "expired" for name, (state, _) in self._holds.items() if state == "expired"}
        finished = sorted(name for name, (state, _) in self._holds.items() if state != "expired")
        for name in random.Random(self._seed).sample(finished, min(len(finished), HOLDS_ASKED_MAX)):
            item = self._json(f"/reservations/{name}")
            amount = item.get("amount_usd")
            found[name] = (item["state"], None if amount is None else exact(amount))
            meant[name] = self._holds[name]
        return f"{len(meant):,} of {len(self._holds):,} states", unequal(found, meant)

    def _listed(self, state):
        after = {}
        while True:
            page = self._json("/reservations", state=state, limit=PAGE_ENTRIES, **after)
            yield from (item["reservation_id"] for item in page)
            if len(page) < PAGE_ENTRIES:
                return
            after = {"after": page[-1]["reservation_id"]}


def unequal(found, meant):
    """What differs between two dicts, as texts: the first few, then how many more."""
    wrong = [key for key in {**meant, **found} if found.get(key, "absent") != meant.get(key, "absent")]
    told = [f"{key}: {found.get(key, 'absent')} and not {meant.get(key, 'absent')}" for key in wrong[:DIFFERENCES_SHOWN]]
    return told + ([f"and {len(wrong) - DIFFERENCES_SHOWN} more"] if len(wrong) > DIFFERENCES_SHOWN else [])
