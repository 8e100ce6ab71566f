//! One object to one valid event: which fields it has, and what those that are left out mean.

use jiff::Timestamp;

use super::Limits;
use super::check::Check;
pub(super) use super::fields::Fields;
use super::fields::KNOWN;
use super::names::Names;
use super::problem::Problems;
use crate::domain::{CostEvent, EventKey, Kind};

/// Reads the events of one request.
pub(super) struct EventReader<'r> {
    received_at: Timestamp,
    limits: &'r Limits,
    new_id: &'r mut dyn FnMut() -> Box<str>,
    names: Names,
}

// === impl EventReader ===

impl<'r> EventReader<'r> {
    pub(super) fn new(received_at: Timestamp, limits: &'r Limits, new_id: &'r mut dyn FnMut() -> Box<str>) -> Self {
        Self { received_at, limits, new_id, names: Names::default() }
    }

    /// Checks every field, so that every problem is reported; an event comes out only when there is none.
    pub(super) fn read(&mut self, index: usize, fields: &Fields<'_>, problems: &mut Problems) -> Option<CostEvent> {
        let mut check = Check { index, id: fields.id.and_then(|value| value.text()), problems };
        check.unknown(&fields.unknown, "an event", &KNOWN);
        let id = check.id(fields.id);
        let service = check.service(fields.service, &mut self.names);
        let operation = check.operation(fields.operation, &mut self.names);
        let kind = check.word("kind", fields.kind, "\"charge\" or \"credit\"", Kind::from_word);
        let amount = check.amount(fields.amount_usd, kind, self.limits.event_usd_max);
        let time = check.time(fields.time, self.received_at, self.limits);
        let source = check.bounded_text("source", fields.source);
        let worker = check.optional_text("worker", fields.worker);
        let batch_id = check.optional_text("batch_id", fields.batch_id);
        let lead_id = check.optional_text("lead_id", fields.lead_id);
        let model = check.optional_text("model", fields.model);
        let usage = check.usage(fields.usage, &mut self.names);
        let duration_seconds = check.duration_seconds(fields.duration_seconds);
        let outcome = check.outcome(fields.outcome);
        let attributes = check.attributes(fields.attributes);
        if check.problems.has(index) {
            return None;
        }
        Some(CostEvent {
            key: EventKey {
                source: source.unwrap_or_default().into(),
                id: id.map_or_else(|| (self.new_id)(), |id| Box::from(&*id)),
            },
            service: service?,
            operation: operation?,
            amount: amount?,
            kind: kind?,
            time: time?,
            time_given: fields.time.is_some(),
            worker,
            batch_id,
            lead_id,
            model,
            usage,
            duration_seconds,
            outcome: outcome?,
            attributes,
        })
    }
}
