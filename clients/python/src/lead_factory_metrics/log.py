"""What goes to the log, without ever failing or flooding it.

Everything is logged as `lead_factory_metrics`. Of each kind of message, MESSAGES_AT_ONCE_MAX come through at once and one every
MESSAGE_SECONDS after that, which says how many were left out.
"""

import logging
import time
from typing import Dict, List, Optional, Tuple

MESSAGES_AT_ONCE_MAX = 20
MESSAGE_SECONDS = 10.0

logger = logging.getLogger("lead_factory_metrics")

_budgets: Dict[str, List[float]] = {}


def error(kind: str, text: str, *args: object) -> None:
    _say(logging.ERROR, kind, text, args)


def warning(kind: str, text: str, *args: object) -> None:
    _say(logging.WARNING, kind, text, args)


def info(kind: str, text: str, *args: object) -> None:
    _say(logging.INFO, kind, text, args)


def _say(level: int, kind: str, text: str, args: Tuple[object, ...]) -> None:
    """Somebody's filter or handler may raise: that must not reach the work that is being paid for."""
    try:
        left_out = _left_out(kind)
        if left_out is None:
            return
        if left_out:
            text, args = text + " (%d messages like this were left out)", args + (left_out,)
        logger.log(level, text, *args)
    except Exception:
        pass


def _left_out(kind: str) -> Optional[int]:
    """How many messages of this kind were left out before this one, or None if this one is left out as well."""
    now = time.monotonic()
    budget = _budgets.setdefault(kind, [float(MESSAGES_AT_ONCE_MAX), now, 0.0])  # allowed now, as of, left out
    budget[0] = min(float(MESSAGES_AT_ONCE_MAX), budget[0] + (now - budget[1]) / MESSAGE_SECONDS)
    budget[1] = now
    if budget[0] < 1:
        budget[2] += 1
        return None
    left_out, budget[0], budget[2] = int(budget[2]), budget[0] - 1, 0.0
    return left_out


def shown(value: object) -> str:
    """A short text of a value, also of one that cannot be shown."""
    try:
        text = repr(value) if isinstance(value, (str, int, float, bytes)) else f"{type(value).__name__} {value!r}"
    except Exception:
        return f"a {type(value).__name__}"
    return text if len(text) <= 80 else text[:77] + "..."
