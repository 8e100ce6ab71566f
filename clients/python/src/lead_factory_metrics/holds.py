"""A hold: money that the agent has set aside for one block of code.

It is settled by recording an event under the hold's id, on the way of all events: through the queue, and the spool if need be. The
agent ends the hold with it. So settling waits for nobody for long, survives whatever an event survives, and counts once.
"""

import time
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional

from . import log, usage as usages, values
from .agent import Problem, path
from .events import Event, event
from .releases import DOUBT_SECONDS_MAX, RELEASE_SECONDS, Release
from .transport import Unanswered
from .values import Bad

if TYPE_CHECKING:
    from .client import Client

TTL_SECONDS_MAX = 86_400
#: How long settling waits for the agent before it is left to the sender.
SETTLE_SECONDS = 2.0


class Hold:
    """Money that is set aside, until it is settled or released. Used from one block; none of its methods raises."""

    def __init__(self, client: "Client", terms: Dict[str, Any], ttl_seconds: int):
        self._client = client
        self._terms = terms
        self._until = time.monotonic() + ttl_seconds
        #: Whether it was asked for and no answer came.
        self._is_in_doubt = False
        #: The reservation's id, and that of the event that settles it.
        self.id: str = terms["id"]
        #: Whether money is really set aside. False where the agent was not reached and the block runs all the same.
        self.is_reserved = False
        #: Whether the agent granted it above the limits, because the operation is critical.
        self.is_critical = False
        #: When it ends, as RFC 3339; None without a reservation.
        self.expires_at: Optional[str] = None
        #: `held`, `settled` or `released`.
        self.state = "held"

    def settle(
        self,
        amount_usd: object = None,
        *,
        usage: object = None,
        usage_raw: object = None,
        model: object = None,
        time: object = None,
        duration_seconds: object = None,
        outcome: object = None,
        attributes: object = None,
    ) -> None:
        """Records what the call cost and returns the rest of the money. Without an amount the agent prices `usage` of `model`.

        Waits up to SETTLE_SECONDS for the agent, so that the next reservation sees the money; if it does not answer, the cost is
        recorded later. The first settlement stands.
        """
        self._guarded("settle", self._settle, amount_usd, locals())

    def release(self, reason: Optional[str] = None) -> None:
        """Returns the money. What is settled stays settled."""
        self._guarded("release", self._release, reason)

    def extend(self, ttl_seconds: int) -> bool:
        """Holds the money for `ttl_seconds` from now; whether the agent agreed."""
        return bool(self._guarded("extend", self._extend, ttl_seconds))

    # === How

    def _guarded(self, what: str, call: Callable[..., Any], *args: Any) -> Any:
        try:
            return call(*args)
        except Exception as failed:
            log.error("internal", "%s of a hold failed: %r", what, failed)
            return None

    def _settle(self, amount_usd: object, given: Dict[str, Any]) -> None:
        ready = self._settlement(amount_usd, given)
        if ready is not None:
            self._client._record_now(ready, SETTLE_SECONDS)

    def _settlement(self, amount_usd: object, given: Dict[str, Any]) -> Optional[Event]:
        """The event that settles; None if there is nothing to record. From here on the hold is settled."""
        if self.state != "held":
            log.warning("settle", "a hold that is %s cannot be settled again: %s", self.state, self.id)
            return None
        more = {key: given[key] for key in ("usage", "usage_raw", "time", "duration_seconds", "outcome", "attributes")}
        kept = {key: self._terms.get(key) for key in ("worker", "batch_id", "lead_id")}
        model = given["model"]
        if model is None and usage_model(given["usage"]) is None:
            model = self._terms.get("model")
        try:
            ready = event(
                self._terms["service"],
                self._terms["operation"],
                amount_usd,
                id=self.id,
                model=model,
                keyed_by_answer=False,
                **kept,
                **more,
            )
        except Bad as bad:
            self._client._dropped("settle", bad)
            return None
        self.state = "settled"
        return ready

    def _release(self, reason: Optional[str]) -> None:
        if self.state != "held":
            return
        self.state = "released"
        if not (self.is_reserved or self._is_in_doubt):
            return
        # Also where no reservation is known of: the answer that granted it may have been lost.
        until = self._until if self.is_reserved else min(self._until, time.monotonic() + DOUBT_SECONDS_MAX)
        release = Release(self.id, reason if isinstance(reason, str) else None, until, not self.is_reserved)
        self._client._release_now(release, RELEASE_SECONDS)

    def _extend(self, ttl_seconds: int) -> bool:
        if self.state != "held" or not self.is_reserved:
            return False
        seconds = values.whole(ttl_seconds, 1, TTL_SECONDS_MAX)
        try:
            answer = self._client._agent.post_json(path(self.id, "extend"), {"ttl_seconds": seconds}, SETTLE_SECONDS)
        except Unanswered:
            return False
        if isinstance(answer, Problem):
            log.warning("extend", "a hold was not extended: %s", answer)
            return False
        self._until = time.monotonic() + seconds
        self.expires_at = answer.get("expires_at")
        return True


def usage_model(value: object) -> Optional[str]:
    """The model that a whole answer names."""
    if value is None:
        return None
    try:
        return usages.read(value).model
    except Bad:
        return None
