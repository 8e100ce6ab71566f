"""Tells the lead-factory-metrics agent what paid calls cost. Never in the way of the work: it never blocks and never raises.

    from lead_factory_metrics import record, reserve

    record("openai", "chat", usage=answer)               # the agent knows the price
    record("serper", "search", "0.001", lead_id="lead-7")

    with reserve("openai", "chat", "0.02") as hold:      # raises Refused if the budget is gone
        answer = client.chat.completions.create(...)
        hold.settle(usage=answer)

The environment says where the agent is (LEAD_FACTORY_METRICS_URL, default http://127.0.0.1:8000), the token if it wants one
(LEAD_FACTORY_METRICS_TOKEN), and where events wait while it is away (LEAD_FACTORY_METRICS_SPOOL, a folder).
"""

import importlib
from typing import Any

from ._default import client as _client
from ._default import configure, take_up as _take_up
from .client import Client
from .errors import LeadFactoryMetricsError, Refused, Unreachable
from .holds import Hold
from .reservations import Reservation

__version__ = "0.1.0"
__all__ = [
    "Client",
    "Hold",
    "LeadFactoryMetricsError",
    "Refused",
    "Reservation",
    "Unreachable",
    "configure",
    "flush",
    "record",
    "reserve",
    "stats",
]


def __getattr__(name: str) -> Any:
    """`aio` without an import of its own; `asyncio` is not loaded where nobody asks for it."""
    if name == "aio":
        return importlib.import_module(".aio", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


record = _client.record
reserve = _client.reserve
flush = _client.flush
stats = _client.stats

_take_up()
