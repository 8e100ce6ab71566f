//! JSON members to raw fields. The reader refuses a key that stands twice, so nothing is overwritten.
#![expect(clippy::ptr_arg, reason = "a borrowed key is kept without copying its text")]

use std::borrow::Cow;

use crate::formats::json::{Value, members};
use crate::ingest::{
    Field, REASONS_MAX, RawEvent, RawGateOrder, RawLimitOrder, RawReservation, RawSingle, RawTime, RawUsage, USAGE_NAMES_MAX,
};

/// Fills one field of something from a member.
pub(super) type Fill<'a, T> = fn(&mut T, &Cow<'a, str>, Value<'a>);

pub(super) fn event<'a>(raw: &mut RawEvent<'a>, key: &Cow<'a, str>, value: Value<'a>) {
    match key.as_ref() {
        "service" => raw.service = value.text(),
        "amount_usd" => raw.amount_usd = value.digits(),
        "operation" => raw.operation = value.text(),
        "id" => raw.id = value.text(),
        "source" => raw.source = value.text(),
        "time" => raw.time = time(value),
        "recorded_at" => raw.recorded_at = time(value),
        "kind" => raw.kind = value.text(),
        "worker" => raw.worker = value.text(),
        "batch_id" => raw.batch_id = value.text(),
        "lead_id" => raw.lead_id = value.text(),
        "model" => raw.model = value.text(),
        "usage" => raw.usage = usage(value),
        "usage_raw" => raw.usage_raw = value.object(),
        "duration_seconds" => raw.duration_seconds = value.number(),
        "outcome" => raw.outcome = value.text(),
        "attributes" => raw.attributes = value.object(),
        "revision" => raw.revision = value.number(),
        "origin" => raw.origin = value.object(),
        _ => keep(&mut raw.unknown, key),
    }
}

/// The part of an event that a reservation does not know.
pub(super) fn settlement<'a>(raw: &mut RawEvent<'a>, key: &Cow<'a, str>, value: Value<'a>) {
    if RawEvent::SETTLEMENT_FIELDS.contains(&key.as_ref()) {
        event(raw, key, value);
    } else {
        keep(&mut raw.unknown, key);
    }
}

pub(super) fn reservation<'a>(raw: &mut RawReservation<'a>, key: &Cow<'a, str>, value: Value<'a>) {
    match key.as_ref() {
        "service" => raw.service = value.text(),
        "operation" => raw.operation = value.text(),
        "estimated_cost_usd" => raw.estimated_cost_usd = value.digits(),
        "model" => raw.model = value.text(),
        "usage" => raw.usage = usage(value),
        "ttl_seconds" => raw.ttl_seconds = value.number(),
        "id" => raw.id = value.text(),
        "worker" => raw.worker = value.text(),
        "batch_id" => raw.batch_id = value.text(),
        "lead_id" => raw.lead_id = value.text(),
        _ => keep(&mut raw.unknown, key),
    }
}

pub(super) fn release<'a>(raw: &mut RawSingle<'a>, key: &Cow<'a, str>, value: Value<'a>) {
    match key.as_ref() {
        "reason" => raw.value = value.text(),
        _ => keep(&mut raw.unknown, key),
    }
}

pub(super) fn extension<'a>(raw: &mut RawSingle<'a>, key: &Cow<'a, str>, value: Value<'a>) {
    match key.as_ref() {
        "ttl_seconds" => raw.value = value.number(),
        _ => keep(&mut raw.unknown, key),
    }
}

pub(super) fn gate_order<'a>(raw: &mut RawGateOrder<'a>, key: &Cow<'a, str>, value: Value<'a>) {
    match key.as_ref() {
        "state" => raw.state = value.text(),
        "reason" => raw.reason = value.text(),
        "actor" => raw.actor = value.text(),
        "expires_in_seconds" => raw.expires_in_seconds = value.number(),
        _ => keep(&mut raw.unknown, key),
    }
}

pub(super) fn limit_order<'a>(raw: &mut RawLimitOrder<'a>, key: &Cow<'a, str>, value: Value<'a>) {
    match key.as_ref() {
        "limit_usd" => raw.limit_usd = value.digits(),
        "limit_usage" => raw.limit_usage = usage(value),
        "reason" => raw.reason = value.text(),
        "actor" => raw.actor = value.text(),
        "expires_in_seconds" => raw.expires_in_seconds = value.number(),
        _ => keep(&mut raw.unknown, key),
    }
}

pub(super) fn count<'a>(usage: &mut RawUsage<'a>, name: &Cow<'a, str>, count: Value<'a>) {
    if count != Value::Null && usage.len() <= USAGE_NAMES_MAX {
        usage.push((name.clone(), count.number()));
    }
}

/// Keeps the name of a member that is no field; no more of them than can be listed.
fn keep<'a>(unknown: &mut Vec<Cow<'a, str>>, key: &Cow<'a, str>) {
    if unknown.len() < REASONS_MAX {
        unknown.push(key.clone());
    }
}

fn time(value: Value<'_>) -> Field<RawTime<'_>> {
    match value {
        Value::String(text) => Field::Given(RawTime::Text(text)),
        other => Field::Misshapen(other.shape()),
    }
}

/// The members of an object; no more than it takes to see that they are too many.
fn usage(value: Value<'_>) -> Field<RawUsage<'_>> {
    let Value::Object { text, .. } = value else { return Field::Misshapen(value.shape()) };
    let mut usage = RawUsage::new();
    // As some clients write what they do not know, null says nothing.
    let _ = members(text, |name, value| count(&mut usage, name, value));
    // It was read before. What can be met anew stands behind a number that no double holds, which is a count that is refused.
    Field::Given(usage)
}
