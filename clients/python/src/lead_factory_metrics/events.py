"""One recorded call as the line of JSON that the agent takes.

What makes a cost a cost must be right: service, operation, amount. Anything else that is wrong is left out with a warning, because
the money is worth more than its label. What was left to say is decided here, at the call: `id` and `time`, so that the line can be
sent again, by whomever, and still counts once.
"""

import json
import uuid
from collections.abc import Mapping
from typing import Any, Callable, Dict, NamedTuple, Optional

from . import log, usage as usages, values
from .values import Bad

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class Event(NamedTuple):
    id: str
    line: str


def event(
    service: object,
    operation: object,
    amount_usd: object = None,
    *,
    usage: object = None,
    usage_raw: object = None,
    model: object = None,
    worker: object = None,
    batch_id: object = None,
    lead_id: object = None,
    id: object = None,
    source: object = None,
    time: object = None,
    kind: object = None,
    duration_seconds: object = None,
    outcome: object = None,
    attributes: object = None,
    revision: object = None,
    keyed_by_answer: bool = True,
) -> Event:
    """Raises `Bad` for what cannot be recorded.

    With `keyed_by_answer`, a whole answer in `usage` gives the event the provider's id of the call, under which other roads tell of
    the same call.
    """
    fields: Dict[str, Any] = {
        "service": _required("service", lambda: values.name(service, values.NAME_BYTES_MAX)),
        "operation": _required("operation", lambda: values.name(operation, values.NAME_BYTES_MAX)),
    }

    def add(key: str, value: object, rule: Callable[[Any], Any]) -> None:
        if values.optional(value):
            try:
                fields[key] = rule(value)
            except Bad as bad:
                log.warning("value", "%s of a call of %s is left out: it %s", key, fields["service"], bad)

    def label(value: object) -> str:
        return values.name(value, values.LABEL_BYTES_MAX)

    add("kind", kind, lambda value: values.choice(value, ("charge", "credit")))
    if amount_usd is not None:
        sign = fields.get("kind", "charge")
        fields["amount_usd"] = _required("amount_usd", lambda: values.amount(amount_usd, sign))
    used = _used(usage, fields)
    add("model", used.model if model is None else model, label)
    add("worker", worker, label)
    add("batch_id", batch_id, label)
    add("lead_id", lead_id, label)
    add("duration_seconds", duration_seconds, values.seconds)
    add("outcome", outcome, lambda value: values.choice(value, ("ok", "error")))
    add("attributes", attributes, _attributes)
    add("revision", revision, lambda value: values.whole(value, 0, 2**31 - 1))
    raw = used.raw if usage_raw is None else usage_raw
    if raw is not None and not used.usage:
        add("usage_raw", raw, _usage_raw)
    if "amount_usd" not in fields and not ("usage" in fields or "usage_raw" in fields):
        raise Bad("amount_usd is missing, and there is no usage from which the agent could tell it")

    add("id", id, lambda value: values.label(value, values.LABEL_BYTES_MAX))
    add("source", source, lambda value: values.label(value, values.LABEL_BYTES_MAX))
    for name, word in used.way.items():
        _say(fields, name, word)
    if used.response_id is not None:
        if not keyed_by_answer:
            _say(fields, "response_id", used.response_id)
        elif "id" not in fields and "source" not in fields:
            fields["id"] = used.response_id
            fields["source"] = "call:" + usages.charged_to(fields["service"], used)
    fields.setdefault("id", str(uuid.uuid4()))
    add("time", time, values.instant)
    fields.setdefault("time", values.now())
    return Event(fields["id"], _encode(fields))


def _say(fields: Dict[str, Any], name: str, value: str) -> None:
    """Another attribute, if there is room and the caller does not say something else."""
    attributes = {name: value, **fields.get("attributes", {})}
    if len(_text(attributes)) <= values.ATTRIBUTES_BYTES_MAX:
        fields["attributes"] = attributes


def _required(key: str, rule: Callable[[], Any]) -> Any:
    try:
        return rule()
    except Bad as bad:
        raise Bad(f"{key} {bad}") from None


def _used(usage: object, fields: Dict[str, Any]) -> usages.Used:
    """Puts `usage` into the fields. Where it cannot be read, the amount has to do."""
    if usage is None:
        return usages.Used()
    try:
        used = usages.read(usage)
    except Bad as bad:
        if "amount_usd" not in fields:
            raise Bad(f"usage {bad}") from None
        log.warning("value", "usage of a call of %s is left out: it %s", fields["service"], bad)
        return usages.Used()
    if used.usage:
        fields["usage"] = used.usage
    return used


def _attributes(value: object) -> Any:
    if not isinstance(value, Mapping):
        raise Bad(f"is not a mapping: {log.shown(value)}")
    found = values.plain(value)
    if len(_text(found)) > values.ATTRIBUTES_BYTES_MAX:
        raise Bad(f"has more than {values.ATTRIBUTES_BYTES_MAX} bytes as JSON")
    return found


def _usage_raw(value: object) -> Any:
    found = values.plain(value)
    if not isinstance(found, dict) or not found:
        raise Bad("is not a mapping")
    if len(_text(found)) > values.USAGE_RAW_BYTES_MAX:
        raise Bad(f"has more than {values.USAGE_RAW_BYTES_MAX} bytes as JSON")
    return found


def _text(value: Any) -> str:
    try:
        return _encode(value)
    except Exception as failed:  # Such as an integer with more digits than Python writes.
        raise Bad("cannot be written as JSON") from failed


def told(line: str) -> Optional[Dict[str, Any]]:
    """The event of a line, or None if the line is not one, as after a crash in the middle of writing it."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
