"""What `reserve` raises. Nothing else of this package raises anything."""

from decimal import Decimal
from typing import Any, Dict, Optional, Tuple


class LeadFactoryMetricsError(Exception):
    """Any of the below."""


class Refused(LeadFactoryMetricsError):
    """The agent refused the reservation: the money is not there, or the gate is closed. The block did not run."""

    def __init__(self, problem: Dict[str, Any], reason: str):
        #: `budget-exhausted`, `gate-active`, or of a budget that a fleet shares `budget-leased-elsewhere` or `fleet-unreachable`.
        self.reason = reason
        #: The name of the budget that refused, or None if an operator closed the gate.
        self.budget: Optional[str] = _text(problem.get("budget"))
        #: Of a budget that is for each worker, lead, …: for which one.
        self.key: Optional[str] = _text(problem.get("key"))
        #: What the budget has left, if it is one of money.
        self.remaining_usd: Optional[Decimal] = _number(problem.get("remaining_usd"))
        #: What a budget of usage has left of the kind in question, such as `{"input_tokens": Decimal(250)}`; else empty.
        self.remaining_usage: Dict[str, Decimal] = _numbers(problem.get("remaining_usage"))
        #: When its period ends, as RFC 3339; None if it has no end.
        self.period_end: Optional[str] = _text(problem.get("period_end"))
        #: The agent's whole answer.
        self.problem = problem
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        detail = _text(self.problem.get("detail")) or "the reservation was refused"
        named = f"budget {self.budget}" if self.budget else "the scaling gate"
        return f"{named} refuses ({self.reason}): {detail}"

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self.problem, self.reason)


class Unreachable(LeadFactoryMetricsError):
    """No reservation could be had, for `on_unreachable="raise"`: the agent did not answer, or could not read the request."""


def _text(value: object) -> Optional[str]:
    return value if isinstance(value, str) else None


def _number(value: object) -> Optional[Decimal]:
    return Decimal(value) if isinstance(value, (int, Decimal)) and not isinstance(value, bool) else None


def _numbers(value: object) -> Dict[str, Decimal]:
    numbers = {kind: _number(count) for kind, count in value.items()} if isinstance(value, dict) else {}
    return {kind: count for kind, count in numbers.items() if count is not None}
