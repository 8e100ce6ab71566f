"""The model: what the ledger must hold, as integers of pico-dollars (10⁻¹² USD).

Only what was answered is added, once, whatever the number of tries. Nothing here knows how the program adds up.
"""

from collections import Counter
from decimal import ROUND_HALF_EVEN, Context, Decimal

PICO = Decimal(10) ** 12
# Enough digits that no sum of a run is ever rounded.
EXACT = Context(prec=60)


def pico(amount):
    """The pico-dollars of a decimal text, rounded half to even as the reference says of input."""
    return int(EXACT.multiply(EXACT.create_decimal(str(amount)), PICO).to_integral_value(ROUND_HALF_EVEN))


def exact(number):
    """The pico-dollars of an amount that was answered. One with more digits than there are is a fault."""
    scaled = EXACT.multiply(Decimal(number), PICO)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{number} has more than 12 decimals")
    return int(scaled)


def dollars(amount_pico):
    return EXACT.divide(Decimal(amount_pico), PICO)


def nearest_float(amount_pico):
    """The float that a metric must show."""
    return float(dollars(amount_pico))


class Sums:
    """Totals by everything that is compared in the end."""

    def __init__(self):
        self.charges = Counter()  # (day, service, operation) → pico-dollars
        self.credits = Counter()  # the same, as positive numbers
        self.workers = Counter()  # (day, worker) → pico-dollars; "" is nobody's
        self.leads = Counter()  # (day, lead) → pico-dollars; "" is nobody's
        self.input_tokens = 0
        self.events = 0
        self.adjustments = 0

    def add(self, event, amount_pico, times=1):
        """Counts an event so many times. `event` has day, service, operation, worker, lead and input_tokens."""
        self._amount(event, amount_pico * times)
        self.input_tokens += event.input_tokens * times
        self.events += times

    def adjust(self, event, difference_pico):
        """Counts a revision that changed an amount."""
        self._amount(event, difference_pico)
        self.adjustments += 1

    def _amount(self, event, amount_pico):
        place = (event.day, event.service, event.operation)
        if amount_pico < 0:
            self.credits[place] -= amount_pico
            # Present, even where it never costs anything.
            self.charges[place] += 0
        else:
            self.charges[place] += amount_pico
        self.workers[event.day, event.worker] += amount_pico
        self.leads[event.day, event.lead] += amount_pico

    def merge(self, other):
        for name in ("charges", "credits", "workers", "leads"):
            mine, theirs = getattr(self, name), getattr(other, name)
            for key, amount in theirs.items():
                mine[key] += amount
        self.input_tokens += other.input_tokens
        self.events += other.events
        self.adjustments += other.adjustments

    def days(self):
        return sorted({day for day, _, _ in self.charges})

    def net(self, days=None):
        """Charges less credits by day, service and operation."""
        return {place: amount - self.credits[place] for place, amount in self.charges.items() if days is None or place[0] in days}

    def total(self):
        return sum(self.net().values())


def summed(amounts, key):
    """Adds up a dict of amounts under other keys."""
    sums = Counter()
    for place, amount in amounts.items():
        sums[key(place)] += amount
    return dict(sums)
