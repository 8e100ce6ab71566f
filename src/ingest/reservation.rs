//! The requests that set money aside, and say what became of it.
//!
//! *Invariants.* What an event and a reservation both have follows the event's rules, so a reservation can always be settled.

use std::sync::Arc;

use jiff::Timestamp;

use super::check::Check;
use super::limits::{Limits, TTL_SECONDS, TTL_SECONDS_DEFAULT};
use super::names::Names;
use super::raw::{Field, RawEvent, RawReservation, RawSingle, RawUsage};
use super::reason::{Invalid, REASONS_MAX};
use crate::domain::{Attribution, CostSource, Kind, ReservationRequest, Settlement, UsageCount, Usd};

/// A valid request to set money aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservationWish {
    /// The request. Without an estimate of its own it holds nothing yet.
    pub request: ReservationRequest,
    /// What to estimate its cost by, where it does not say.
    pub estimate_by: Option<ModelUsage>,
}

/// A model, and what it is going to be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelUsage {
    /// The model.
    pub model: Box<str>,
    /// Quantities, ordered by kind, each kind once.
    pub usage: Vec<UsageCount>,
}

/// Validates quantities by themselves.
///
/// # Errors
/// The broken rules.
pub fn validate_usage(raw: &Field<RawUsage<'_>>) -> Result<Vec<UsageCount>, Invalid> {
    let mut check = Check::new(REASONS_MAX);
    let usage = check.usage(raw, &mut Names::default());
    check.finish(Some(usage), &Field::Absent)
}

/// Validates a reservation. `new_id` is asked for the id of a valid one that has none.
///
/// # Errors
/// The broken rules.
pub fn validate_reservation(
    raw: &RawReservation<'_>,
    limits: &Limits,
    new_id: impl FnOnce() -> Box<str>,
) -> Result<ReservationWish, Invalid> {
    let mut check = Check::new(REASONS_MAX);
    let mut wish = {
        check.unknown(&raw.unknown, "a reservation", &RawReservation::FIELDS);
        let made = reservation(raw, limits, &mut check);
        check.finish(made, &raw.id)?
    };
    if !wish.request.id_given {
        wish.request.id = Arc::from(new_id());
    }
    Ok(wish)
}

fn reservation(raw: &RawReservation<'_>, limits: &Limits, check: &mut Check) -> Option<ReservationWish> {
    let mut names = Names::default();
    let id = check.id(&raw.id, &raw.idempotency_key);
    let service = check.service(&raw.service, &mut names);
    let operation = check.operation(&raw.operation, &mut names);
    let model = check.optional_name("model", &raw.model);
    let usage = check.usage(&raw.usage, &mut names);
    let is_told = raw.estimated_cost_usd.is_present()
        || !check.has_model_and_usage("estimated_cost_usd", &raw.model, &raw.usage, false);
    let estimate = match &raw.estimated_cost_usd {
        Field::Absent => Some(Usd::ZERO),
        told => check.estimate("estimated_cost_usd", told, limits.event_usd_max),
    };
    let ttl_seconds = match check.optional("ttl_seconds", &raw.ttl_seconds, "a number") {
        Some(digits) => check.integer("ttl_seconds", digits, TTL_SECONDS),
        None => Some(TTL_SECONDS_DEFAULT),
    };
    let attribution = Attribution {
        worker: check.optional_name("worker", &raw.worker),
        batch_id: check.optional_name("batch_id", &raw.batch_id),
        lead_id: check.optional_name("lead_id", &raw.lead_id),
    };
    let priced = model.as_ref().filter(|_| !is_told);
    let estimate_by = priced.map(|model| ModelUsage { model: model.clone(), usage: usage.clone() });
    let request = ReservationRequest {
        id_given: id.is_some(),
        id: Arc::from(id.unwrap_or_default()),
        service: service?,
        operation: operation?,
        estimated_cost: estimate?,
        ttl_seconds: ttl_seconds?,
        attribution: attribution.shared(),
        model,
        usage,
    };
    Some(ReservationWish { request, estimate_by })
}

/// Validates what settles a reservation, that came at `received_at`. Only the fields of
/// [`RawEvent::SETTLEMENT_FIELDS`] are looked at; others belong in `unknown`. One without an amount is unpriced: only whoever knows the
/// reservation can rate it. `provider` says whose a model is, if it is known.
///
/// # Errors
/// The broken rules.
pub fn validate_settlement(
    raw: &RawEvent<'_>,
    received_at: Timestamp,
    limits: &Limits,
    provider: &dyn Fn(&str) -> String,
) -> Result<Settlement, Invalid> {
    let mut check = Check::new(REASONS_MAX);
    check.unknown(&raw.unknown, "a settlement", &RawEvent::SETTLEMENT_FIELDS);
    let made = settlement(raw, received_at, limits, provider, &mut check);
    check.finish(made, &Field::Absent)
}

fn settlement(
    raw: &RawEvent<'_>,
    received_at: Timestamp,
    limits: &Limits,
    provider: &dyn Fn(&str) -> String,
    check: &mut Check,
) -> Option<Settlement> {
    let mut names = Names::default();
    let kind = Some(Kind::Charge);
    let time = check.time(&raw.time, received_at, Some(Kind::Charge), limits);
    let model = check.optional_name("model", &raw.model);
    let known = || provider(model.as_deref().unwrap_or_default());
    let said = check.usage_raw(&raw.usage_raw, raw.usage.is_present(), known, &mut names).unwrap_or_default();
    let usage = if raw.usage_raw.is_present() { said.usage.clone() } else { check.usage(&raw.usage, &mut names) };
    // Without a model it is that of the reservation, if that has one.
    let has_usage = !usage.is_empty() || raw.usage_raw.is_present();
    let is_told = raw.amount_usd.is_present() || said.cost.is_some() || !(has_usage || check.can_be_priced(raw, kind));
    let amount = match (&raw.amount_usd, said.cost) {
        (Field::Absent, None) => Some(Usd::ZERO),
        (Field::Absent, Some(cost)) => check.amount(&Field::Given(cost.to_string().into()), kind, limits.event_usd_max),
        (told, _) => check.amount(told, kind, limits.event_usd_max),
    };
    let duration_seconds = check.duration_seconds(&raw.duration_seconds);
    let outcome = check.outcome(&raw.outcome);
    let attributes = check.completed(&raw.attributes, &said);
    Some(Settlement {
        amount: amount?,
        cost: if is_told { CostSource::Told } else { CostSource::Unpriced },
        time: time?,
        time_given: raw.time.is_present(),
        model,
        usage,
        duration_seconds,
        outcome: outcome?,
        attributes,
    })
}

/// Validates why a reservation is released, if that is said.
///
/// # Errors
/// The broken rules.
pub fn validate_release(raw: &RawSingle<'_>) -> Result<Option<Box<str>>, Invalid> {
    let mut check = Check::new(REASONS_MAX);
    check.unknown(&raw.unknown, "a release", &["reason"]);
    let reason = check.text("reason", &raw.value).map(|text| check.reason(text));
    check.finish(Some(reason), &Field::Absent)
}

/// Validates for how many seconds from now a reservation is extended.
///
/// # Errors
/// The broken rules.
pub fn validate_extension(raw: &RawSingle<'_>) -> Result<u32, Invalid> {
    let mut check = Check::new(REASONS_MAX);
    check.unknown(&raw.unknown, "an extension", &["ttl_seconds"]);
    let digits = check.required("ttl_seconds", &raw.value, "a number");
    let ttl_seconds = digits.and_then(|digits| check.integer("ttl_seconds", digits, TTL_SECONDS));
    check.finish(ttl_seconds, &Field::Absent)
}
