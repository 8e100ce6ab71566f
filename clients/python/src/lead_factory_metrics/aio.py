"""The same for `asyncio`: nothing here holds up the event loop.

    from lead_factory_metrics import aio

    async with aio.reserve("openai", "chat", "0.02") as hold:
        answer = await client.chat.completions.create(...)
        await hold.settle(usage=answer)

What waits for the agent waits in a thread. A task that is cancelled meanwhile loses nothing: a cost is recorded all the same, and
a hold that comes too late is released.
"""

import asyncio
import concurrent.futures
import functools
import inspect
from types import TracebackType
from typing import Any, Awaitable, Callable, Dict, Generator, List, Optional, Type, TypeVar

from . import log
from ._default import client as _client
from .client import FLUSH_SECONDS, Client, never_raises
from .decorators import decorated, settle_by_result, takes_hold
from .errors import LeadFactoryMetricsError, Refused, Unreachable
from .holds import SETTLE_SECONDS, Hold
from .reservations import Reservation, bounded

__all__ = ["AsyncHold", "AsyncReservation", "LeadFactoryMetricsError", "Refused", "Unreachable", "flush", "record", "reserve"]

F = TypeVar("F", bound=Callable[..., Any])

#: What a request may take beyond its own limit, while threads are busy.
SLACK_SECONDS = 0.5


class Recorded(str):
    """The id of a recorded call, or an empty text. It may be awaited, and need not be."""

    def __await__(self) -> Generator[Any, None, "Recorded"]:
        return self
        yield  # What makes this a generator.


@never_raises(Recorded())
def record(*args: Any, **kwargs: Any) -> Recorded:
    """As `lead_factory_metrics.record`, which never waits anyway."""
    return Recorded(_client.record(*args, **kwargs) or "")


async def flush(timeout: Optional[float] = FLUSH_SECONDS) -> bool:
    """As `lead_factory_metrics.flush`."""
    try:
        future = _client._pool().submit(_client.flush, timeout)
    except RuntimeError:  # The interpreter is shutting down.
        return _client.flush(timeout)
    return await asyncio.shield(asyncio.wrap_future(future))


def reserve(service: str, operation: str, estimated_cost_usd: object = None, **more: Any) -> "AsyncReservation":
    """As `lead_factory_metrics.reserve`, for `async with` and for coroutine functions."""
    return AsyncReservation(_client.reserve(service, operation, estimated_cost_usd, **more))


class AsyncHold:
    """Money that is set aside. Its methods do their work at the call; awaiting them waits until the agent knows."""

    def __init__(self, hold: Hold):
        self._hold = hold
        self._ongoing: List["asyncio.Future[Any]"] = []

    id = property(lambda self: self._hold.id, doc="The reservation's id, and that of the event that settles it.")
    is_reserved = property(lambda self: self._hold.is_reserved, doc="Whether money is really set aside.")
    is_critical = property(lambda self: self._hold.is_critical, doc="Whether it was granted above the limits.")
    expires_at = property(lambda self: self._hold.expires_at, doc="When it ends, as RFC 3339; None without a reservation.")
    state = property(lambda self: self._hold.state, doc="`held`, `settled` or `released`.")

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
    ) -> Awaitable[Any]:
        """As `Hold.settle`."""
        ready = self._hold._guarded("settle", self._hold._settlement, amount_usd, locals())
        if ready is None:
            return _Done()
        client = self._hold._client
        return self._in_thread(functools.partial(client._record_now, ready, SETTLE_SECONDS), lambda: client._record(ready))

    def release(self, reason: Optional[str] = None) -> Awaitable[Any]:
        """As `Hold.release`."""
        if self._hold.state != "held":
            return _Done()
        return self._in_thread(functools.partial(self._hold.release, reason), lambda: None)

    def extend(self, ttl_seconds: int) -> Awaitable[Any]:
        """As `Hold.extend`."""
        return self._in_thread(functools.partial(self._hold.extend, ttl_seconds), lambda: False)

    def _in_thread(self, work: Callable[[], Any], instead: Callable[[], Any]) -> Awaitable[Any]:
        """`instead` where there is no loop to wait in, or no thread to be had."""
        try:
            asyncio.get_running_loop()
            future = asyncio.wrap_future(self._hold._client._pool().submit(_logged, work))
        except RuntimeError:
            return _Done(instead())
        self._ongoing.append(future)
        return asyncio.shield(future)

    async def _leave(self, failed: bool) -> None:
        if self._hold.state == "held":
            self.release("the work failed" if failed else None)
        for future in self._ongoing:
            await asyncio.shield(future)


class AsyncReservation:
    """What `aio.reserve` returns: an asynchronous context manager, and a decorator of coroutine functions."""

    def __init__(self, reservation: Reservation):
        self._reservation = reservation
        self._holds: List[AsyncHold] = []

    async def __aenter__(self) -> AsyncHold:
        hold = AsyncHold(await _asked(self._reservation))
        self._holds.append(hold)
        return hold

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if self._holds:
            await self._holds.pop()._leave(kind is not None)

    def __call__(self, function: F) -> F:
        """As `Reservation.__call__`, also for coroutine functions and asynchronous generators."""
        gets_hold = takes_hold(function)

        def given(hold: AsyncHold, kwargs: Dict[str, Any]) -> Dict[str, Any]:
            return {**kwargs, "hold": hold} if gets_hold and "hold" not in kwargs else kwargs

        if inspect.isasyncgenfunction(function):

            @functools.wraps(function)
            async def generator(*args: Any, **kwargs: Any) -> Any:
                async with AsyncReservation(self._reservation._again()) as hold:
                    inner = function(*args, **given(hold, kwargs))
                    try:
                        item = await inner.__anext__()
                        while True:
                            try:
                                sent = yield item
                            except GeneratorExit:
                                raise
                            except BaseException as thrown:
                                item = await inner.athrow(thrown)
                            else:
                                item = await inner.asend(sent)
                    except StopAsyncIteration:
                        return
                    finally:
                        await inner.aclose()

            return generator  # type: ignore[return-value]

        if not inspect.iscoroutinefunction(function):
            return decorated(self._reservation, function)

        @functools.wraps(function)
        async def call(*args: Any, **kwargs: Any) -> Any:
            async with AsyncReservation(self._reservation._again()) as hold:
                result = await function(*args, **given(hold, kwargs))
                settle_by_result(hold, result)
                return result

        return call  # type: ignore[return-value]


async def _asked(reservation: Reservation) -> Hold:
    """The hold, from a thread, in bounded time also when all threads are busy."""
    try:
        asking = reservation._client._pool().submit(reservation._ask, reservation._timeout)
    except RuntimeError:
        return reservation._unasked("the interpreter is shutting down")
    try:
        return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(asking)), reservation._timeout + SLACK_SECONDS)
    except asyncio.TimeoutError:
        _give_back(asking)
        return reservation._unasked("the threads that ask are busy")
    except asyncio.CancelledError:
        _give_back(asking)
        raise


def _give_back(asking: "concurrent.futures.Future[Hold]") -> None:
    """Releases what is granted after nobody waits for it any more."""

    def granted(done: "concurrent.futures.Future[Hold]") -> None:
        if not done.cancelled() and done.exception() is None:
            done.result().release("nobody waited for it any more")

    if not asking.cancel():
        asking.add_done_callback(granted)


def _logged(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Exception as failed:
        log.error("internal", "a request of asyncio failed: %r", failed)
        return None


class _Done:
    """Awaitable, and done."""

    def __init__(self, result: Any = None):
        self._result = result

    def __await__(self) -> Generator[Any, None, Any]:
        return self._result
        yield
