//! The agent's own formats for events: `application/json`, one object or an array of objects, and `application/x-ndjson`, one object a
//! line.
//!
//! *Policy.* All or nothing: one bad event, and none of its request is recorded.

use std::borrow::Cow;

use http::HeaderMap;

use super::fields;
use crate::domain::CostEvent;
use crate::formats::json::{self, Reader, Stop, Top, Value, Visit};
use crate::formats::problem::Problems;
use crate::formats::{Answer, Batch, BodyError, Counts, Format};
use crate::ingest::{RawEvent, Shape, Validator};
use crate::wire::BatchAnswer;

/// What `POST /costs` takes.
pub const FORMATS: &[Format] = &[
    Format { label: "json", media_types: &[crate::formats::JSON], read: read_json, answer },
    Format { label: "ndjson", media_types: &["application/x-ndjson"], read: read_lines, answer },
];

/// Reads one object, or an array of objects. An array without elements is no events.
///
/// # Errors
/// See [`BodyError`]. What cannot be read at all is told before any broken rule, wherever in the body it stands.
pub(super) fn read_json(_: &HeaderMap, body: &[u8], validator: Validator<'_>) -> Result<Batch, BodyError> {
    read(body, validator, |text, reader, events| reader.read(text, Top::ObjectOrArray, events))
}

/// Reads one object a line. Blank lines are skipped; a body of nothing else is no events.
///
/// # Errors
/// As of [`read_json`].
pub(super) fn read_lines(_: &HeaderMap, body: &[u8], validator: Validator<'_>) -> Result<Batch, BodyError> {
    read(body, validator, |text, reader, events| {
        let is_blank = |line: &str| line.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
        text.split('\n').filter(|line| !is_blank(line)).try_for_each(|line| reader.read(line, Top::Object, events))
    })
}

/// Reads a body by the rules of `walk`.
///
/// A body without a single byte is malformed in both formats: it is what a client sends that lost its content.
fn read(
    body: &[u8],
    validator: Validator<'_>,
    walk: impl for<'a> FnOnce(&'a str, &mut Reader<'a>, &mut Events<'_, 'a>) -> Result<(), Stop>,
) -> Result<Batch, BodyError> {
    let malformed = |detail, events_seen| BodyError::Malformed { detail, events_seen };
    let text = json::utf8(body).map_err(|detail| malformed(detail, 0))?;
    let mut events = Events::new(validator);
    let walked = Reader::new(text).and_then(|mut reader| walk(text, &mut reader, &mut events));
    match walked {
        Ok(()) if events.problems.is_empty() => Ok(Batch { events: events.valid, rejected: 0 }),
        Ok(()) => Err(events.problems.into_error(events.seen)),
        Err(Stop::Asked) => Err(BodyError::TooManyEvents { limit: events.validator.limits().events_max }),
        Err(Stop::Malformed(error)) => Err(malformed(error.describe(text), events.seen)),
    }
}

/// The events of a body, as far as it was read.
struct Events<'r, 'a> {
    validator: Validator<'r>,
    /// Events and whatever stands in their place.
    seen: usize,
    raw: RawEvent<'a>,
    valid: Vec<CostEvent>,
    problems: Problems,
}

// === impl Events ===

impl<'r> Events<'r, '_> {
    fn new(validator: Validator<'r>) -> Self {
        Self { validator, seen: 0, raw: RawEvent::default(), valid: Vec::new(), problems: Problems::default() }
    }
}

impl<'a> Visit<'a> for Events<'_, 'a> {
    fn begin(&mut self) -> bool {
        let has_room = self.seen < self.validator.limits().events_max;
        self.seen += usize::from(has_room);
        has_room
    }

    fn member(&mut self, key: &Cow<'a, str>, value: Value<'a>) {
        fields::event(&mut self.raw, key, value);
    }

    fn end(&mut self) {
        let raw = std::mem::take(&mut self.raw);
        match self.validator.validate(&raw) {
            // Nothing of a batch with a problem is recorded, so its good events need not be kept.
            Ok(event) if self.problems.is_empty() => self.valid.push(event),
            Ok(_) => {}
            Err(invalid) => self.problems.invalid(self.seen - 1, invalid),
        }
    }

    fn other(&mut self, shape: Shape) {
        let detail = || format!("an event must be an object, not {}", shape.with_article());
        self.problems.no_event(self.seen - 1, detail);
    }
}

fn answer(counts: &Counts) -> Answer {
    let Counts { accepted, duplicates, .. } = *counts;
    // Two numbers always serialize.
    Answer {
        media_type: crate::formats::JSON,
        body: serde_json::to_vec(&BatchAnswer { accepted, duplicates }).unwrap_or_default(),
    }
}
