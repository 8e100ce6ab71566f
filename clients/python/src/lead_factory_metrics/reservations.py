"""Asking for money before a block of code: `with reserve(…) as hold: hold.settle(…)`, also as a decorator.

*Invariants.* The block's exception goes on unchanged, and nothing is raised after the block. Asking takes at most `timeout`
seconds.
"""

import math
import uuid
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple, Type, TypeVar

from . import log, usage as usages, values
from .agent import Problem
from .errors import Refused, Unreachable
from .holds import TTL_SECONDS_MAX, Hold
from .transport import Unanswered
from .values import Bad

if TYPE_CHECKING:
    from .client import Client

F = TypeVar("F", bound=Callable[..., Any])

TTL_SECONDS_DEFAULT = 60
ASK_SECONDS, ASK_SECONDS_MAX = 5.0, 300.0
#: Asking while the agent is known to be away.
ASK_AWAY_SECONDS = 1.0


class Reservation:
    """What `reserve` returns: a context manager, and a decorator. Each block and each call of a function reserves anew."""

    def __init__(
        self,
        client: "Client",
        service: object,
        operation: object,
        estimated_cost_usd: object = None,
        *,
        usage: object = None,
        model: object = None,
        worker: object = None,
        batch_id: object = None,
        lead_id: object = None,
        id: object = None,
        ttl_seconds: object = TTL_SECONDS_DEFAULT,
        on_unreachable: str = "run",
        timeout: float = ASK_SECONDS,
    ):
        if on_unreachable not in ("run", "raise"):
            raise ValueError('on_unreachable is "run" or "raise"')
        self._client = client
        self._on_unreachable = on_unreachable
        self._timeout = bounded(timeout, ASK_SECONDS, ASK_SECONDS_MAX)
        self._asked = dict(
            service=service,
            operation=operation,
            estimated_cost_usd=estimated_cost_usd,
            usage=usage,
            model=model,
            worker=worker,
            batch_id=batch_id,
            lead_id=lead_id,
            id=id,
            ttl_seconds=ttl_seconds,
        )
        self._holds: List[Hold] = []

    def __enter__(self) -> Hold:
        hold = self._ask(self._timeout)
        self._holds.append(hold)
        return hold

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if self._holds:
            self._holds.pop().release("the work failed" if kind else None)

    def __call__(self, function: F) -> F:
        """Reserves for each call of the function. If it has a parameter `hold`, it gets the hold. If it returns a provider's whole
        answer and settled nothing, the hold is settled with the usage in it."""
        from .decorators import decorated

        return decorated(self, function)

    def _again(self) -> "Reservation":
        return type(self)(self._client, on_unreachable=self._on_unreachable, timeout=self._timeout, **self._asked)

    def _unasked(self, reason: str) -> Hold:
        """A hold where nobody could be asked."""
        try:
            terms, ttl_seconds = self._terms()
        except Bad:
            terms, ttl_seconds = self._fallback_terms(), TTL_SECONDS_DEFAULT
        return self._without(Hold(self._client, terms, ttl_seconds), reason)

    def _ask(self, seconds: float) -> Hold:
        """A hold; raises what the caller is to see. A mistake in the request is none of the work's business."""
        try:
            terms, ttl_seconds = self._terms()
        except Bad as bad:
            hold = Hold(self._client, self._fallback_terms(), TTL_SECONDS_DEFAULT)
            return self._without(hold, f"what was asked for is wrong: {bad}")
        hold = Hold(self._client, terms, ttl_seconds)
        if self._client._agent.is_off():
            return hold
        try:
            if self._client._sender.is_away:
                seconds = min(seconds, ASK_AWAY_SECONDS)
            answer = self._posted({**terms, "ttl_seconds": ttl_seconds}, seconds)
        except Unanswered as failed:
            hold._is_in_doubt = True
            return self._without(hold, f"no answer of the agent at {self._client._agent.url()}: {failed}")
        if not isinstance(answer, Problem):
            if answer.get("reservation_id") != hold.id:
                return self._without(hold, "what answers there is not the agent")
            hold.is_reserved, hold.is_critical = True, answer.get("critical") is True
            hold.expires_at = answer.get("expires_at")
            return hold
        if answer.slug == "id-conflict":
            # Something else has this id; its event must not be taken for ours.
            hold = Hold(self._client, {**terms, "id": str(uuid.uuid4())}, ttl_seconds)
        elif answer.status == 409 or answer.slug == "fleet-unreachable":
            raise Refused(answer.fields, answer.slug) from None
        return self._without(hold, str(answer))

    def _posted(self, body: Dict[str, Any], seconds: float) -> Any:
        post = self._client._agent.post_json
        answer = post("/reservations", body, seconds)
        if isinstance(answer, Problem) and answer.status == 422 and "estimated_cost_usd" in body:
            # An older agent does not know these; the estimate is enough for it.
            wrong = {error.get("field") for error in answer.fields.get("errors", []) if isinstance(error, dict)}
            if wrong and wrong <= {"model", "usage"} & set(body):
                return post("/reservations", {key: body[key] for key in body if key not in wrong}, seconds)
        return answer

    def _without(self, hold: Hold, reason: str) -> Hold:
        if self._on_unreachable == "raise":
            raise Unreachable(f"nothing is reserved: {reason}") from None
        log.warning("unreserved", "the work runs without a reservation: %s", reason)
        return hold

    def _terms(self) -> Tuple[Dict[str, Any], int]:
        """What is posted, but for the time to live."""
        asked = self._asked
        terms: Dict[str, Any] = {}
        for key, bytes_max in (("service", values.NAME_BYTES_MAX), ("operation", values.NAME_BYTES_MAX)):
            terms[key] = _checked(key, values.name, asked[key], bytes_max)
        for key in ("worker", "batch_id", "lead_id", "model"):
            if values.optional(asked[key]):
                terms[key] = _checked(key, values.name, asked[key], values.LABEL_BYTES_MAX)
        terms["id"] = _checked("id", values.label, asked["id"], values.LABEL_BYTES_MAX) if asked["id"] else str(uuid.uuid4())
        if asked["estimated_cost_usd"] is not None:
            terms["estimated_cost_usd"] = _checked("estimated_cost_usd", values.amount, asked["estimated_cost_usd"])
        if asked["usage"] is not None:
            terms["usage"] = _checked("usage", usages.read, asked["usage"]).usage or {}
        if "estimated_cost_usd" not in terms and "usage" not in terms:
            raise Bad("estimated_cost_usd is missing")
        return terms, _checked("ttl_seconds", values.whole, asked["ttl_seconds"], 1, TTL_SECONDS_MAX)

    def _fallback_terms(self) -> Dict[str, Any]:
        """For a hold without a reservation: what can be used of what was asked."""
        terms = {key: self._asked[key] for key in ("service", "operation", "worker", "batch_id", "lead_id", "model")}
        return {**terms, "id": str(uuid.uuid4())}


def _checked(key: str, rule: Callable[..., Any], *args: Any) -> Any:
    try:
        return rule(*args)
    except Bad as bad:
        raise Bad(f"{key} {bad}") from None


def bounded(seconds: object, usual: float, most: float) -> float:
    """Seconds that a caller gave, if they are any."""
    if isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and not math.isnan(seconds):
        return float(min(max(seconds, 0), most))
    return usual
