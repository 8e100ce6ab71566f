"""A reservation around each call of a function: plain, generator, coroutine, asynchronous generator."""

import functools
import inspect
from typing import TYPE_CHECKING, Any, Callable, Dict, TypeVar

from . import usage as usages
from .holds import Hold
from .values import Bad

if TYPE_CHECKING:
    from .reservations import Reservation

F = TypeVar("F", bound=Callable[..., Any])


def settle_by_result(hold: Any, result: object) -> None:
    """A provider's whole answer, with its model and counts, tells what it cost."""
    if hold.state != "held" or result is None:
        return
    try:
        used = usages.read(result)
    except Bad:
        return
    if used.model and used.usage and used.provider:
        hold.settle(usage=result)


def decorated(reservation: "Reservation", function: F) -> F:
    gets_hold = takes_hold(function)

    def given(hold: Hold, kwargs: Dict[str, Any]) -> Dict[str, Any]:
        return {**kwargs, "hold": hold} if gets_hold and "hold" not in kwargs else kwargs

    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        from .aio import AsyncReservation

        return AsyncReservation(reservation)(function)

    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Any:
            with reservation._again() as hold:
                return (yield from function(*args, **given(hold, kwargs)))

        return generator  # type: ignore[return-value]

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with reservation._again() as hold:
            result = function(*args, **given(hold, kwargs))
            settle_by_result(hold, result)
            return result

    return call  # type: ignore[return-value]


def takes_hold(function: Callable[..., Any]) -> bool:
    try:
        return "hold" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
