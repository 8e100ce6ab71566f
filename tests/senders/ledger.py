"""What a ledger must hold."""

from collections import Counter
from decimal import Decimal

from bill import UNPRICED


def charges(agent):
    """The events that stand for a paid call. One of 0 with a price is an outer span that was told before the call within it."""
    return [event for event in agent.events() if event.get("unpriced") or event["amount_usd"] != 0]


def amounts(agent):
    """The amount of each paid call; None for one that waits for a price."""
    return Counter(UNPRICED if event.get("unpriced") else Decimal(str(event["amount_usd"])) for event in charges(agent))


def assert_bill(agent, bill):
    """The ledger holds these paid calls, each once, and every surface says the same sum."""
    assert amounts(agent) == Counter(bill), told(agent)
    total = sum(amount for amount in bill if amount is not UNPRICED)
    days = agent.json("/costs/daily")
    assert sum(Decimal(str(amount)) for amount in days.values()) == total, days
    assert sum(group["events"] for group in agent.json("/unpriced")) == list(bill).count(UNPRICED)


def told(agent):
    """For a failed test: the events, one a line, and the log."""
    keys = ("amount_usd", "unpriced", "quality", "service", "operation", "model", "source", "id", "usage")
    lines = [" ".join(f"{key}={event[key]}" for key in keys if key in event) for event in agent.events()]
    return "\n".join(["", *lines, agent.log()[-3000:]])
