"""What must be in the ledger, worked out from what was answered alone.

Amounts are integers of pico-dollars. Nothing here has seen the program: what it shows is compared with these sums digit for digit.
"""

import collections
from decimal import Decimal

PICO = Decimal(10) ** 12
# Of a budget with a limit for each worker.
KEYS_ASKED_FOR = 20
GROUPINGS = ("service", "service,operation", "worker", "lead", "model")


def pico(text):
    """An amount as the program holds it."""
    amount = Decimal(text) * PICO
    assert amount == amount.to_integral_value(), text
    return int(amount)


def shown(amount):
    """An amount as the program shows it."""
    return Decimal(amount) / PICO


class Model:
    """The events and holds that there must be."""

    def __init__(self):
        # By id: day, names by dimension, amount.
        self.events = {}
        # By id: estimate, and its state.
        self.holds = {}
        self.unpriced = set()
        self.price_per_token = None

    def record(self, event, amount):
        names = {by: event.get(by, "unknown" if by == "operation" else "") for by in ("service", "operation", "worker", "model")}
        names["lead"] = event.get("lead_id", "")
        self.events[event["id"]] = (event["time"][:10], names, amount)

    def held(self):
        return sum(estimate for estimate, state in self.holds.values() if state == "held")

    def total(self):
        return sum(amount for _, _, amount in self.events.values())

    def costs(self, day, by):
        """As `/costs/daily?by=` has it: nested in the order of the dimensions."""
        sums = collections.defaultdict(int)
        for on, names, amount in self.events.values():
            if on.startswith(day):
                sums[tuple(names[dimension] for dimension in by.split(","))] += amount
        nested = {}
        for key, amount in sums.items():
            inner = nested
            for name in key[:-1]:
                inner = inner.setdefault(name, {})
            inner[key[-1]] = shown(amount)
        return nested

    def by_worker(self):
        sums = collections.defaultdict(int)
        for _, names, amount in self.events.values():
            if names["worker"]:
                sums[names["worker"]] += amount
        return sums

    def days(self):
        return sorted({day for day, _, _ in self.events.values()})


def merged(models):
    """All of them as one; their ids differ."""
    whole = Model()
    for model in models:
        whole.events.update(model.events)
        whole.holds.update(model.holds)
        whole.unpriced |= model.unpriced
    return whole


def difference(client, model):
    """The first thing that an agent shows otherwise, or nothing."""
    for day in model.days():
        for by in GROUPINGS:
            found, expected = client.json(f"/costs/daily?date={day}&by={by}"), model.costs(day, by)
            if found != expected:
                return f"{day} by {by}: {found} in place of {expected}"
    for month in sorted({day[:7] for day in model.days()}):
        found, expected = client.json(f"/costs/monthly?month={month}&by=service,operation"), model.costs(month, "service,operation")
        if found != expected:
            return f"{month}: {found} in place of {expected}"
    for budget in client.json("/budgets"):
        if budget["name"] == "everything":
            found = (budget["spent_usd"], budget["reserved_usd"])
            expected = (shown(model.total()), shown(model.held()))
            if found != expected:
                return f"the budget's spent and reserved: {found} in place of {expected}"
    for worker, spent in sorted(model.by_worker().items())[:KEYS_ASKED_FOR]:
        found = next(item["spent_usd"] for item in client.json(f"/budgets?key={worker}") if item["name"] == "worker")
        if found != shown(spent):
            return f"worker {worker} has spent {found} in place of {shown(spent)}"
    held = {item["reservation_id"] for item in client.json("/reservations?state=held&limit=1000")}
    expected = {hold for hold, (_, state) in model.holds.items() if state == "held"}
    if len(expected) <= 1000 and held != expected:
        return f"held: {sorted(held ^ expected)} differ"
    metrics = client.ask("GET", "/metrics")[1].decode()
    charged, credited = (sum_of(metrics, f"lead_factory_{kind}_usd_total") for kind in ("cost", "credit"))
    if abs(charged - credited - float(shown(model.total()))) > 1e-9 * max(1.0, charged):
        return f"/metrics has {charged} and {credited} of credit in place of {shown(model.total())}"
    return ""


def sum_of(metrics, name):
    lines = (line for line in metrics.splitlines() if line.startswith((name + "{", name + " ")))
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)
