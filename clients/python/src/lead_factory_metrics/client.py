"""The client: what the package's functions do, and how it lives with forks, exits and threads."""

import atexit
import concurrent.futures
import functools
import os
import sys
import threading
import weakref
from typing import Any, Callable, Dict, Optional, TypeVar, cast

from . import log
from .agent import Agent, Kept
from .events import Event, event
from .releases import Release, released
from .reservations import Reservation, bounded
from .sender import Sender
from .spool import Spool, usual_folders
from .values import Bad

F = TypeVar("F", bound=Callable[..., Any])

SPOOL_NAME = "LEAD_FACTORY_METRICS_SPOOL"
FLUSH_SECONDS, FLUSH_SECONDS_MAX = 30.0, 3600.0
#: How long the end of a process may wait for the agent.
EXIT_SECONDS = 3.0
#: Threads that ask the agent for `asyncio`.
AIO_THREADS_MAX = 16

_clients: "weakref.WeakSet[Client]" = weakref.WeakSet()


def never_raises(otherwise: Any) -> Callable[[F], F]:
    """An error in accounting is logged; it must not take away the result of the work. Wrong arguments are such an error."""

    def wrapped(function: F) -> F:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except Exception as failed:
                try:
                    log.error("internal", "%s: %s", function.__name__, _sentence(failed))
                except Exception:
                    pass  # Such as at the bottom of a recursion, where nothing can be called any more.
                return otherwise

        return cast(F, call)

    return wrapped


class Client:
    """Records calls at one agent. The package's functions are those of a client that is there from the start."""

    def __init__(self, url: Optional[str] = None, *, token: Optional[str] = None, spool: Optional[str] = None):
        """What is not given comes from LEAD_FACTORY_METRICS_URL, _TOKEN and _SPOOL, each time it is needed."""
        self._agent = Agent(url, token)
        self._sender = Sender(self._agent, Spool(lambda: spool or os.environ.get(SPOOL_NAME) or None))
        self._executor: Optional[concurrent.futures.ThreadPoolExecutor] = None
        self._is_used = False
        _clients.add(self)

    @never_raises(None)
    def record(
        self,
        service: str,
        operation: str,
        amount_usd: object = None,
        *,
        usage: object = None,
        model: Optional[str] = None,
        worker: Optional[str] = None,
        batch_id: Optional[str] = None,
        lead_id: Optional[str] = None,
        id: Optional[str] = None,
        source: Optional[str] = None,
        time: object = None,
        kind: Optional[str] = None,
        duration_seconds: object = None,
        outcome: Optional[str] = None,
        attributes: Optional[Dict[str, Any]] = None,
        revision: Optional[int] = None,
        usage_raw: Optional[Dict[str, Any]] = None,
    ) -> Optional[str]:
        """Records one paid call, soon and surely. Never waits and never raises.

        amount_usd: what it cost: `str`, `Decimal`, `int`, `Fraction`, or `float` (read by its shortest digits). Left out, the agent
            prices `usage` of `model`.
        usage: OpenAI's or Anthropic's usage object or whole answer, or names and counts of your own. A whole answer also gives the
            model and the id of the call, under which it counts once, whoever else tells the agent of it.
        id: of your own, for a call that may be recorded more than once.
        time: of the call, if not now: a `datetime`, seconds since 1970, or RFC 3339.

        Returns the id under which the call is recorded, or None if it cannot be, which is logged.
        """
        try:
            ready = event(
                service,
                operation,
                amount_usd,
                usage=usage,
                usage_raw=usage_raw,
                model=model,
                worker=worker,
                batch_id=batch_id,
                lead_id=lead_id,
                id=id,
                source=source,
                time=time,
                kind=kind,
                duration_seconds=duration_seconds,
                outcome=outcome,
                attributes=attributes,
                revision=revision,
            )
        except Bad as bad:
            self._dropped("record", bad)
            return None
        self._record(ready)
        return ready.id

    def reserve(
        self,
        service: str,
        operation: str,
        estimated_cost_usd: object = None,
        *,
        usage: object = None,
        model: Optional[str] = None,
        worker: Optional[str] = None,
        batch_id: Optional[str] = None,
        lead_id: Optional[str] = None,
        id: Optional[str] = None,
        ttl_seconds: int = 60,
        on_unreachable: str = "run",
        timeout: float = 5.0,
    ) -> Reservation:
        """Sets money aside for a block: `with reserve(…) as hold: …; hold.settle(cost)`. Also a decorator.

        Raises `Refused` if the agent says no; the block does not run then. Without a cost at its end, or when it raises, the money
        is released. Without an answer within `timeout` seconds the block runs unreserved and its cost is recorded later, or with
        `on_unreachable="raise"` it does not run and `Unreachable` is raised.

        estimated_cost_usd: the most that the block may cost; or leave it out and give `usage` and `model` for the agent to price.
        ttl_seconds: when the money is free again if the process dies; longer than the block takes.
        """
        return Reservation(
            self,
            service,
            operation,
            estimated_cost_usd,
            usage=usage,
            model=model,
            worker=worker,
            batch_id=batch_id,
            lead_id=lead_id,
            id=id,
            ttl_seconds=ttl_seconds,
            on_unreachable=on_unreachable,
            timeout=timeout,
        )

    @never_raises(False)
    def flush(self, timeout: Optional[float] = FLUSH_SECONDS) -> bool:
        """Waits until everything recorded so far is in the agent's ledger, or on this host's disk. Whether that is so."""
        if self._agent.is_off():
            return True
        self._begin()
        return self._sender.flush(bounded(timeout, FLUSH_SECONDS, FLUSH_SECONDS_MAX))

    @never_raises(None)
    def close(self, timeout: float = EXIT_SECONDS) -> None:
        """A last flush; what is recorded after it goes to the disk, for the next process. Done by itself at exit."""
        if self._is_used and not self._sender.is_closing:
            self._sender.close(bounded(timeout, EXIT_SECONDS, FLUSH_SECONDS_MAX))

    def stats(self) -> Dict[str, int]:
        """Of this process: events `recorded`, `duplicates`, `rejected` by the agent, `dropped` here, and still `queued`."""
        return {**self._agent.counts.now(), "queued": self._sender.queued()}

    # === What holds, `asyncio` and the life of the process use

    def _record(self, ready: Event) -> None:
        if not self._agent.is_off():
            self._begin()
            self._sender.put(ready.line)

    def _record_now(self, ready: Event, seconds: float) -> None:
        """As `record`, but waits for the agent if it is there."""
        if self._agent.is_off():
            return
        try:
            if not self._sender.is_away:
                self._agent.deliver([ready.line], seconds)
                return
        except Kept:
            pass
        except BaseException:  # Ctrl-C, say: the cost stays.
            self._record(ready)
            raise
        self._record(ready)

    def _release_now(self, release: Release, seconds: float) -> None:
        if self._agent.is_off():
            return
        if self._sender.is_away or not released(self._agent, release, seconds):
            self._sender.releases.add(release)
            self._begin()
            self._sender.start()

    def _dropped(self, what: str, bad: Bad) -> None:
        self._agent.counts.add(dropped=1)
        log.error("bad", "%s: nothing is recorded: %s", what, bad)

    def _begin(self) -> None:
        if self._is_used:
            return
        self._is_used = True
        # A child of multiprocessing ends without `atexit`.
        process, ending = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
        if process is not None and ending is not None and process.parent_process() is not None:
            ending.Finalize(None, self.close, exitpriority=-100)

    def _pool(self) -> concurrent.futures.ThreadPoolExecutor:
        if self._executor is None:
            self._executor = concurrent.futures.ThreadPoolExecutor(AIO_THREADS_MAX, "lead-factory-metrics-aio")
        return self._executor

    def _configure(self, url: Optional[str], token: Optional[str], spool: Optional[str]) -> None:
        if spool is not None:
            if self._is_used:
                self._sender.flush(EXIT_SECONDS)
            self._sender.spool.move(lambda: spool)
        self._agent.use(url, token)

    def _take_up(self) -> None:
        """Sends what an earlier process left, if it left something."""
        spool = self._sender.spool
        folder = spool.chosen()
        if not self._agent.is_off() and any(not Spool(lambda: one).is_empty() for one in ([folder] if folder else usual_folders())):
            self._begin()
            self._sender.start()

    def _after_fork(self) -> None:
        self._is_used, self._executor = False, None
        self._sender.spool.abandon()
        self._agent.reset()
        self._sender.reset()


def _sentence(failed: BaseException) -> str:
    try:
        return f"{type(failed).__name__}: {failed}"
    except Exception:
        return type(failed).__name__


def _at_exit() -> None:
    for client in list(_clients):
        client.close()


def _after_fork_in_child() -> None:
    for client in list(_clients):
        client._after_fork()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
