//! One raw event to one valid event: which fields it has, and what those that are left out mean.

use jiff::Timestamp;

use super::check::Check;
use super::cost::complete;
use super::limits::Limits;
use super::names::Names;
use super::raw::{Field, RawEvent};
use super::reason::{Invalid, REASONS_MAX};
use crate::domain::{CostEvent, EventKey, Name, Usd};
use crate::pricing::Book;

/// Validates the events of one request.
pub struct Validator<'r> {
    received_at: Timestamp,
    limits: &'r Limits,
    book: Option<&'r Book>,
    new_id: &'r mut dyn FnMut() -> Box<str>,
    names: Names,
    reasons_left: usize,
    /// Invalid events so far.
    invalid: usize,
    is_import: bool,
}

// === impl Validator ===

impl<'r> Validator<'r> {
    /// For a request that came at `received_at`. `new_id` is asked for the id of a valid event that has none.
    pub fn new(received_at: Timestamp, limits: &'r Limits, new_id: &'r mut dyn FnMut() -> Box<str>) -> Self {
        Self {
            received_at,
            limits,
            book: None,
            new_id,
            names: Names::default(),
            reasons_left: REASONS_MAX,
            invalid: 0,
            is_import: false,
        }
    }

    /// Events without an amount cost what this book says. Without one they are unpriced.
    #[must_use]
    pub fn priced_by(self, book: &'r Book) -> Self {
        Self { book: Some(book), ..self }
    }

    /// For events that say when another ledger recorded them.
    #[must_use]
    pub fn importing(self) -> Self {
        Self { is_import: true, ..self }
    }

    /// The bounds that the events are held to.
    pub const fn limits(&self) -> &'r Limits {
        self.limits
    }

    /// Checks every field, so that every broken rule is told.
    ///
    /// # Errors
    /// The reasons: all of them until the request has given [`REASONS_MAX`], then one, and none any more of further events than these.
    pub fn validate(&mut self, raw: &RawEvent<'_>) -> Result<CostEvent, Invalid> {
        let check = Check::new(self.reasons_left.max(usize::from(self.invalid < REASONS_MAX)));
        let is_recorded = self.is_import && raw.recorded_at.is_present();
        let mut check = if is_recorded { check.of_recorded() } else { check };
        check.unknown(&raw.unknown, "an event", &RawEvent::FIELDS);
        for (field, is_present) in [("recorded_at", raw.recorded_at.is_present()), ("origin", raw.origin.is_present())] {
            if is_present && !self.is_import {
                check.unknown(&[field.into()], "an event", &RawEvent::FIELDS);
            }
        }
        let made = self.make(raw, &mut check);
        let mut event = check.finish(made, &raw.id).inspect_err(|invalid| {
            self.reasons_left = self.reasons_left.saturating_sub(invalid.reasons.len());
            self.invalid += 1;
        })?;
        if event.key.id.is_empty() {
            event.key.id = (self.new_id)();
        }
        Ok(event)
    }

    /// The event, its id empty when it has none. It counts only when `check` found nothing broken.
    fn make(&mut self, raw: &RawEvent<'_>, check: &mut Check) -> Option<CostEvent> {
        let id = check.id(&raw.id, &raw.idempotency_key);
        let service = check.service(&raw.service, &mut self.names);
        let operation = check.operation(&raw.operation, &mut self.names);
        let kind = check.kind(&raw.kind);
        let time = check.time(&raw.time, self.received_at, kind, self.limits);
        let source = check.bounded_text("source", &raw.source);
        let worker = check.optional_name("worker", &raw.worker);
        let batch_id = check.optional_name("batch_id", &raw.batch_id);
        let lead_id = check.optional_name("lead_id", &raw.lead_id);
        let model = check.optional_name("model", &raw.model);
        let provider = || provider(self.book, service.as_ref().map(Name::as_str), model.as_deref());
        let said = check.usage_raw(&raw.usage_raw, raw.usage.is_present(), provider, &mut self.names).unwrap_or_default();
        let usage = if raw.usage_raw.is_present() { said.usage.clone() } else { check.usage(&raw.usage, &mut self.names) };
        let is_told = raw.amount_usd.is_present() || said.cost.is_some() || !check.can_be_priced(raw, kind);
        let amount = match (&raw.amount_usd, said.cost) {
            (Field::Absent, None) => Some(Usd::ZERO),
            (Field::Absent, Some(cost)) => {
                check.amount(&Field::Given(cost.to_string().into()), kind, self.limits.event_usd_max)
            }
            (told, _) => check.amount(told, kind, self.limits.event_usd_max),
        };
        let duration_seconds = check.duration_seconds(&raw.duration_seconds);
        let outcome = check.outcome(&raw.outcome);
        let attributes = check.completed(&raw.attributes, &said);
        let revision = check.revision(&raw.revision);
        let first_recorded_at = check.recorded_at(&raw.recorded_at, self.received_at, self.limits);
        let origin = check.origin(&raw.origin);
        let mut event = CostEvent {
            key: EventKey { source: source.unwrap_or_default().into(), id: id.unwrap_or_default().into() },
            service: service?,
            operation: operation?,
            amount: amount?,
            kind: kind?,
            time: time?,
            time_given: raw.time.is_present(),
            worker,
            batch_id,
            lead_id,
            model,
            usage,
            duration_seconds,
            outcome: outcome?,
            attributes,
            revision: revision?,
            first_recorded_at,
            origin,
        };
        if !is_told {
            complete(&mut event, self.book, self.limits, check);
        }
        Some(event)
    }
}

/// The provider, by the book's name, if it is known.
fn provider(book: Option<&Book>, service: Option<&str>, model: Option<&str>) -> String {
    let known = book.and_then(|book| book.provider(service, model.unwrap_or_default()));
    known.unwrap_or_default().to_owned()
}
