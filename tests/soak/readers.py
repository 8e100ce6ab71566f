"""Those who only look: people with the page open, and Prometheus."""

from . import exposition, wire
from .lane import Request, Wrong
from .sums import Sums

LOOKS_EVERY_SECONDS = 5.0
PAGE_BYTES_MAX = 100 * 1024
# They survive restarts, so they never fall.
COUNTERS = ("lead_factory_cost_usd_total", "lead_factory_credit_usd_total")


class Viewers:
    def __init__(self, viewers):
        self.connections = max(viewers, 1)
        self.per_second = viewers / LOOKS_EVERY_SECONDS

    def next(self, _number):
        return Request("page", wire.get("/", "text/html,application/xhtml+xml"))

    def answered(self, _request, answer):
        if not answer.body.startswith(b"<!DOCTYPE html>") or not answer.body.rstrip().endswith(b"</html>"):
            raise Wrong("not a whole page")
        if len(answer.body) > PAGE_BYTES_MAX:
            raise Wrong(f"a page of {len(answer.body)} bytes")

    def sums(self):
        return Sums()


class Scrapes:
    # One, so that no answer overtakes another.
    connections = 1

    def __init__(self, per_second):
        self.per_second = per_second
        self._before = {}

    def next(self, _number):
        return Request("scrape", wire.get("/metrics"))

    def answered(self, _request, answer):
        found = exposition.read(answer.body.decode(), *COUNTERS)
        for series, value in self._before.items():
            if series not in found:
                raise Wrong(f"{series} is gone")
            if float(found[series]) < float(value):
                raise Wrong(f"{series} fell from {value} to {found[series]}")
        self._before = found

    def sums(self):
        return Sums()
