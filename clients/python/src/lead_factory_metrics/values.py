"""From what a caller passes to what the agent takes: money, quantities, names, times.

Each function returns the value for JSON, or raises `Bad`, which says what is wrong. Nothing else comes out of here, also for
objects whose methods raise. The rules are those of docs/reference.md, "Events"; the agent checks everything again.
"""

import math
import numbers
import re
import unicodedata
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import Enum
from fractions import Fraction
from typing import Any, Optional, Tuple, Union

from .log import shown

NAME_BYTES_MAX = 128
LABEL_BYTES_MAX = 200
USAGE_NAMES_MAX = 16
ATTRIBUTES_BYTES_MAX = 4096
USAGE_RAW_BYTES_MAX = 16_384
#: Nesting of `attributes`; the agent takes 32 levels in all.
ATTRIBUTES_DEPTH_MAX = 28
#: The highest `MAX_EVENT_USD` that an agent can be set to.
AMOUNT_USD_MAX = 1_000_000
QUANTITY_END = 2**53

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?\Z", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d)\Z", re.ASCII)
_EXACT = Context(prec=60)


class Bad(ValueError):
    """The value cannot be used; the text says why."""


def decimal(value: object) -> Decimal:
    """A finite number, exactly. Floats count by their shortest digits: 0.1 is 0.1."""
    try:
        return _decimal(value)
    except Bad:
        raise
    except Exception as failed:
        raise Bad(f"is not a number: {shown(value)}") from failed


def _decimal(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (numbers.Number, Decimal, str)):
        raise Bad(f"is not a number: {shown(value)}")
    if isinstance(value, str):
        if len(value) > 400 or not _NUMBER.match(value):
            raise Bad(f"is not a number: {shown(value)}")
        return _exactly(Decimal(str.__str__(value)))
    if isinstance(value, Decimal):
        return _exactly(value)
    if isinstance(value, numbers.Integral):
        whole = int(value)
        if abs(whole) >= QUANTITY_END:
            raise Bad("is too large")
        return Decimal(whole)
    if isinstance(value, float):
        return _exactly(Decimal(float.__repr__(value)))
    if isinstance(value, Fraction):
        if abs(value) >= QUANTITY_END:
            raise Bad("is too large")
        return Decimal(round(value * 10**12)).scaleb(-12, _EXACT)
    return _exactly(Decimal(str(value)))  # such as numpy's float32, whose text has the digits that were meant


def _exactly(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise Bad(f"is not finite: {shown(value)}")
    if value and value.adjusted() > 17:
        raise Bad("is too large")
    if value.as_tuple().exponent < -12:  # type: ignore[operator] # A finite number has an integer there.
        value = value.quantize(Decimal("1e-12"), ROUND_HALF_EVEN, _EXACT)
    return value


def amount(value: object, kind: str = "charge") -> str:
    """US dollars, as the text that the agent reads exactly."""
    usd = decimal(value)
    if abs(usd) > AMOUNT_USD_MAX:
        raise Bad(f"is over {AMOUNT_USD_MAX} USD")
    if kind == "charge" and usd < 0:
        raise Bad('is negative; a credit is recorded with kind="credit"')
    if kind == "credit" and usd > 0:
        raise Bad("is positive; a credit is a negative amount")
    text = f"{usd:f}"
    return text[1:] if text.startswith("-") and not usd else text


def quantity(value: object) -> Union[int, float]:
    """A count or measure for `usage`: at most 6 decimals."""
    if type(value) is int and 0 <= value < QUANTITY_END:
        return value
    number = decimal(value)
    if number < 0 or number >= QUANTITY_END:
        raise Bad("is not from 0 to below 2^53")
    number = number.quantize(Decimal("1e-6"), ROUND_HALF_EVEN, _EXACT)
    whole = int(number)
    return whole if whole == number else float(number)


def name(value: object, bytes_max: int) -> str:
    """A service, an operation, a model, …: readable text that looks like itself."""
    if type(value) is str and value.isascii() and value.isprintable() and len(value) <= bytes_max:
        text: str = value  # Nearly all are like this.
    else:
        text = label(value, bytes_max)
    if not text:
        raise Bad("is empty")
    if text != text.strip():
        raise Bad(f"has white space at an end: {shown(text)}")
    if not (text.isascii() and text.isprintable()):
        for char in text:
            if char != " " and unicodedata.category(char) in ("Cc", "Cf", "Zs", "Zl", "Zp"):
                raise Bad(f"has an invisible character: {shown(text)}")
    return text


def label(value: object, bytes_max: int) -> str:
    """Text, a number or a UUID, as text without control characters."""
    try:
        if isinstance(value, Enum) and not isinstance(value, str):
            value = value.value
        if isinstance(value, (uuid.UUID, int)) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            raise Bad(f"is not text: {shown(value)}")
        text = str.__str__(value)
        if isinstance(value, Enum) and isinstance(value.value, str):
            text = str.__str__(value.value)
        size = len(text) if text.isascii() else len(text.encode())
    except Bad:
        raise
    except Exception as failed:
        raise Bad(f"is not text: {shown(value)}") from failed
    if size > bytes_max:
        raise Bad(f"has more than {bytes_max} bytes: {shown(text)}")
    if not text.isprintable() and any(unicodedata.category(char) == "Cc" for char in text):
        raise Bad(f"has a control character: {shown(text)}")
    return text


def instant(value: object) -> str:
    """A time as RFC 3339: from such text, a `datetime` (without a zone: local time) or seconds since 1970."""
    try:
        if isinstance(value, str):
            text = str.__str__(value)
            if not _TIME.match(text):
                raise Bad(f"is not a time with seconds and offset: {shown(value)}")
            return text.replace(" ", "T", 1)
        if isinstance(value, datetime):
            # An offset of seconds, as some zones had long ago, is not RFC 3339.
            return value.astimezone(timezone.utc).isoformat()
        if isinstance(value, numbers.Real) and not isinstance(value, bool):
            return datetime.fromtimestamp(float(value), timezone.utc).isoformat()
    except Bad:
        raise
    except Exception as failed:
        raise Bad(f"is not a time: {shown(value)}") from failed
    raise Bad(f"is not a time: {shown(value)}")


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


def seconds(value: object) -> float:
    try:
        duration = value.total_seconds() if isinstance(value, timedelta) else float(decimal(value))
    except Bad:
        raise
    except Exception as failed:
        raise Bad(f"is not a duration: {shown(value)}") from failed
    if not math.isfinite(duration) or duration < 0:
        raise Bad(f"is not a duration: {shown(value)}")
    return duration


def choice(value: object, allowed: Tuple[str, ...]) -> str:
    try:
        text = label(value, LABEL_BYTES_MAX)
    except Bad:
        text = ""
    if text not in allowed:
        raise Bad(f"is not one of {', '.join(allowed)}: {shown(value)}")
    return text


def whole(value: object, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise Bad(f"is not a whole number: {shown(value)}")
    try:
        number = int(value)
    except Exception as failed:
        raise Bad(f"is not a whole number: {shown(value)}") from failed
    if not least <= number <= most:
        raise Bad(f"is not from {least} to {most}")
    return number


def plain(value: object, depth: int = ATTRIBUTES_DEPTH_MAX) -> Any:
    """The value in JSON's own types; what JSON does not have becomes text."""
    try:
        return _plain(value, depth)
    except Bad:
        raise
    except Exception as failed:
        raise Bad(f"cannot be written as JSON: a {type(value).__name__}") from failed


def _plain(value: object, depth: int) -> Any:
    if depth == 0:
        raise Bad("is nested too deeply")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        str.encode(value)  # A lone surrogate raises here.
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Bad("has a number that is not finite")
        return float(value)
    if isinstance(value, Mapping):
        members = {_key(key): _plain(member, depth - 1) for key, member in value.items()}
        if len(members) != len(value):
            raise Bad("has a name twice")
        return members
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item, depth - 1) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return _plain(str(value), depth)


def _key(key: object) -> str:
    return str(_plain(key if isinstance(key, str) else str(key), 1))


def optional(value: Optional[object]) -> bool:
    """Whether there is a value at all; an empty text is none."""
    return value is not None and not (isinstance(value, str) and not value)
