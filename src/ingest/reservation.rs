//! The bodies that set money aside, and say what became of it.
//!
//! *Invariants.* What an event and a reservation both have follows the event's rules, so a reservation can always be committed.

use std::ops::RangeInclusive;
use std::sync::Arc;

use jiff::Timestamp;

use super::names::Names;
use super::request::{Kind, read_object};
use super::{Limits, RequestError};
use crate::domain::{self, Attribution, ReservationRequest, Settlement};

/// How long money may be set aside, in seconds (contract, section 5).
pub const TTL_SECONDS: RangeInclusive<u32> = 1..=86_400;
/// How long it is when the worker does not say, in seconds.
pub const TTL_SECONDS_DEFAULT: u32 = 60;

const RESERVATION: Kind = Kind {
    what: "a reservation",
    fields: &["service", "operation", "estimated_cost_usd", "ttl_seconds", "id", "worker", "batch_id", "lead_id"],
};

const COMMIT: Kind = Kind {
    what: "a commit",
    fields: &["amount_usd", "time", "usage", "model", "duration_seconds", "outcome", "attributes"],
};

const RELEASE: Kind = Kind { what: "a release", fields: &["reason"] };

const EXTENSION: Kind = Kind { what: "an extension", fields: &["ttl_seconds"] };

/// Reads the body of `POST /reservations`. `new_id` is asked for the id of a valid one that has none.
///
/// # Errors
/// See [`RequestError`].
pub fn read_reservation(
    body: &[u8],
    limits: &Limits,
    new_id: impl FnOnce() -> Box<str>,
) -> Result<ReservationRequest, RequestError> {
    let mut request = read_object(body, &RESERVATION, |members, check| {
        let mut names = Names::default();
        let id = check.id(members.get("id"));
        let service = check.service(members.get("service"), &mut names);
        let operation = check.operation(members.get("operation"), &mut names);
        let estimate = check.estimate("estimated_cost_usd", members.get("estimated_cost_usd"), limits.event_usd_max);
        let ttl_seconds = check.whole_number("ttl_seconds", members.get("ttl_seconds"), TTL_SECONDS);
        let attribution = Attribution {
            worker: check.optional_text("worker", members.get("worker")),
            batch_id: check.optional_text("batch_id", members.get("batch_id")),
            lead_id: check.optional_text("lead_id", members.get("lead_id")),
        };
        Some(ReservationRequest {
            id_given: id.is_some(),
            id: Arc::from(&*id.unwrap_or_default()),
            service: service?,
            operation: operation?,
            estimated_cost: estimate?,
            ttl_seconds: ttl_seconds.unwrap_or(TTL_SECONDS_DEFAULT),
            attribution: attribution.shared(),
        })
    })?;
    if !request.id_given {
        request.id = Arc::from(new_id());
    }
    Ok(request)
}

/// Reads the body of a commit that came at `received_at`.
///
/// # Errors
/// See [`RequestError`].
pub fn read_settlement(body: &[u8], received_at: Timestamp, limits: &Limits) -> Result<Settlement, RequestError> {
    read_object(body, &COMMIT, |members, check| {
        let mut names = Names::default();
        let amount = check.amount(members.get("amount_usd"), Some(domain::Kind::Charge), limits.event_usd_max);
        let time = check.time(members.get("time"), received_at, limits);
        let model = check.optional_text("model", members.get("model"));
        let usage = check.usage(members.get("usage"), &mut names);
        let duration_seconds = check.duration_seconds(members.get("duration_seconds"));
        let outcome = check.outcome(members.get("outcome"));
        let attributes = check.attributes(members.get("attributes"));
        Some(Settlement {
            amount: amount?,
            time: time?,
            time_given: members.get("time").is_some(),
            model,
            usage,
            duration_seconds,
            outcome: outcome?,
            attributes,
        })
    })
}

/// Reads the body of a release: why, if it says so. It need not have one.
///
/// # Errors
/// See [`RequestError`].
pub fn read_release(body: &[u8]) -> Result<Option<Box<str>>, RequestError> {
    if body.is_empty() {
        return Ok(None);
    }
    read_object(body, &RELEASE, |members, check| Some(check.reason(members.get("reason"))))
}

/// Reads the body of an extension: for how many seconds from now.
///
/// # Errors
/// See [`RequestError`].
pub fn read_extension(body: &[u8]) -> Result<u32, RequestError> {
    read_object(body, &EXTENSION, |members, check| match members.get("ttl_seconds") {
        Some(value) => check.whole_number("ttl_seconds", Some(value), TTL_SECONDS),
        None => check.missing("ttl_seconds"),
    })
}

#[cfg(test)]
mod tests;
