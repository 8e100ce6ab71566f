//! The agent's own formats for events: `application/json`, one object or an array of objects, and `application/x-ndjson`, one object a
//! line.
//!
//! *Policy.* One bad event refuses its request, unless the sender wants it left out. Then a line that is no JSON is a bad event too,
//! since lines stand for themselves; an array with a mistake in its syntax cannot be read beyond it.

use std::borrow::Cow;

use http::HeaderMap;

use super::fields;
use super::key::idempotency_key;
use crate::domain::CostEvent;
use crate::formats::json::{self, JsonError, Reader, Stop, Top, Value, Visit};
use crate::formats::media::LINES_NAMES;
use crate::formats::problem::Problems;
use crate::formats::{Answer, BadEvents, Batch, BodyError, Counts, Format};
use crate::ingest::{RawEvent, RawText, Shape, Validator};
use crate::wire::BatchAnswer;

/// What `POST /costs` takes.
pub const FORMATS: &[Format] = &[
    Format { label: "json", media_types: &[crate::formats::JSON], read: read_json, answer },
    Format { label: "ndjson", media_types: LINES_NAMES, read: read_lines, answer },
];

/// What `POST /import` takes: lines, which may say when another ledger recorded them.
pub const IMPORTS: &[Format] = &[Format { label: "import", media_types: LINES_NAMES, read: read_imported_lines, answer }];

fn read_imported_lines(
    headers: &HeaderMap,
    body: &[u8],
    validator: Validator<'_>,
    bad: BadEvents,
) -> Result<Batch, BodyError> {
    read_lines(headers, body, validator.importing(), bad)
}

/// Reads one object, or an array of objects. An array without elements is no events.
///
/// # Errors
/// See [`BodyError`]. What cannot be read at all is told before any broken rule, wherever in the body it stands.
pub(super) fn read_json(
    headers: &HeaderMap,
    body: &[u8],
    validator: Validator<'_>,
    bad: BadEvents,
) -> Result<Batch, BodyError> {
    let text = text(body)?;
    let mut events = Events::new(headers, validator, bad)?;
    let walked = Reader::new(text).and_then(|mut reader| reader.read(text, Top::ObjectOrArray, &mut events));
    events.finish(walked, |error| {
        let detail = error.describe(text);
        if error.is_second_value(text) {
            return format!("{detail}; for one event per line, Content-Type is {}", crate::formats::LINES);
        }
        detail
    })
}

/// Reads one object a line. Blank lines are skipped; a body of nothing else is no events.
///
/// # Errors
/// As of [`read_json`].
pub(super) fn read_lines(
    headers: &HeaderMap,
    body: &[u8],
    validator: Validator<'_>,
    bad: BadEvents,
) -> Result<Batch, BodyError> {
    if bad == BadEvents::LeaveOut {
        return read_good_lines(headers, body, validator);
    }
    let text = text(body)?;
    let mut events = Events::new(headers, validator, bad)?;
    let walked = Reader::new(text).and_then(|mut reader| {
        let mut lines = text.split('\n').filter(|line| !is_blank(line.as_bytes()));
        lines.try_for_each(|line| reader.read(line, Top::Object, &mut events))
    });
    events.finish(walked, |error| error.describe(text))
}

/// As [`read_lines`], but each line by itself. Where not one is JSON, the body is something else.
fn read_good_lines(headers: &HeaderMap, body: &[u8], validator: Validator<'_>) -> Result<Batch, BodyError> {
    if body.is_empty() {
        text(body)?;
    }
    let mut events = Events::new(headers, validator, BadEvents::LeaveOut)?;
    let mut first_error = None;
    let mut unreadable = 0;
    for (at, line) in body.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !is_blank(line)) {
        if !events.begin() {
            return events.finish(Err(Stop::Asked), |error| error.problem);
        }
        match read_line(line, at + 1) {
            Ok(Line { other: Some(shape), .. }) => events.other(shape),
            Ok(Line { raw, other: None }) => {
                events.raw = raw;
                events.end();
            }
            Err(detail) => {
                events.problems.no_event(events.seen - 1, || detail.clone());
                unreadable += 1;
                first_error.get_or_insert(detail);
            }
        }
    }
    match first_error {
        Some(detail) if unreadable == events.seen => Err(BodyError::Malformed { detail, events_seen: events.seen }),
        _ => events.finish(Ok(()), |error| error.problem),
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

/// A body without a single byte is malformed in both formats: it is what a client sends that lost its content.
fn text(body: &[u8]) -> Result<&str, BodyError> {
    json::utf8(body).map_err(|detail| BodyError::Malformed { detail, events_seen: 0 })
}

/// The events of a body, as far as it was read.
struct Events<'r, 'a> {
    validator: Validator<'r>,
    bad: BadEvents,
    /// The id of the one event that there may be with it.
    key: RawText<'static>,
    /// Events and whatever stands in their place.
    seen: usize,
    raw: RawEvent<'a>,
    valid: Vec<CostEvent>,
    /// Where each valid event stands, if bad ones are left out.
    places: Vec<usize>,
    problems: Problems,
}

// === impl Events ===

impl<'r> Events<'r, '_> {
    fn new(headers: &HeaderMap, validator: Validator<'r>, bad: BadEvents) -> Result<Self, BodyError> {
        let key = idempotency_key(headers).map_err(|detail| BodyError::Malformed { detail, events_seen: 0 })?;
        Ok(Self {
            validator,
            bad,
            key,
            seen: 0,
            raw: RawEvent::default(),
            valid: Vec::new(),
            places: Vec::new(),
            problems: Problems::default(),
        })
    }

    /// What became of a body that was read so far; `describe` puts in words why not to its end.
    fn finish(self, walked: Result<(), Stop>, describe: impl FnOnce(JsonError) -> String) -> Result<Batch, BodyError> {
        let Self { seen, valid, places, problems, .. } = self;
        match walked {
            Err(Stop::Asked) => Err(BodyError::TooManyEvents { limit: self.validator.limits().events_max }),
            Err(Stop::Malformed(error)) => Err(BodyError::Malformed { detail: describe(error), events_seen: seen }),
            Ok(()) if self.key.is_present() && seen > 1 => Err(BodyError::one_key(seen)),
            Ok(()) if problems.is_empty() || self.bad == BadEvents::LeaveOut => {
                Ok(Batch { events: valid, places, left_out: problems })
            }
            Ok(()) => Err(problems.into_error(seen)),
        }
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
        let mut raw = std::mem::take(&mut self.raw);
        if self.key.is_present() {
            raw.idempotency_key = self.key.clone();
        }
        match (self.validator.validate(&raw), self.bad) {
            (Ok(event), BadEvents::LeaveOut) => {
                self.valid.push(event);
                self.places.push(self.seen - 1);
            }
            // Nothing of a refused batch is recorded, so its good events need not be kept.
            (Ok(event), BadEvents::RefuseAll) if self.problems.is_empty() => self.valid.push(event),
            (Ok(_), BadEvents::RefuseAll) => {}
            (Err(invalid), _) => self.problems.invalid(self.seen - 1, invalid),
        }
    }

    fn other(&mut self, shape: Shape) {
        let detail = || format!("an event must be an object, not {}", shape.with_article());
        self.problems.no_event(self.seen - 1, detail);
    }
}

/// What a line holds.
#[derive(Default)]
struct Line<'a> {
    raw: RawEvent<'a>,
    other: Option<Shape>,
}

impl<'a> Visit<'a> for Line<'a> {
    fn member(&mut self, key: &Cow<'a, str>, value: Value<'a>) {
        fields::event(&mut self.raw, key, value);
    }

    fn other(&mut self, shape: Shape) {
        self.other = Some(shape);
    }
}

/// Reads a line by itself, the `number`th.
fn read_line(line: &[u8], number: usize) -> Result<Line<'_>, String> {
    let line = std::str::from_utf8(line).map_err(|_| format!("Line {number} is not valid UTF-8"))?;
    let mut found = Line::default();
    match Reader::new(line).and_then(|mut reader| reader.read(line, Top::Object, &mut found)) {
        Ok(()) => Ok(found),
        Err(Stop::Malformed(error)) => Err(error.describe_in(line, number)),
        Err(Stop::Asked) => Err(format!("Line {number} was not read")),
    }
}

fn answer(counts: &Counts) -> Answer {
    let Counts { accepted, duplicates, revised, ref left_out, ref priced } = *counts;
    let (rejected, errors) = left_out.as_ref().map(|left_out| (left_out.rejected, left_out.errors.as_slice())).unzip();
    let (priced, unpriced) = priced.as_ref().map(|priced| (priced.items.as_slice(), priced.unpriced.as_slice())).unzip();
    let answer = BatchAnswer {
        accepted,
        duplicates,
        revised,
        rejected,
        errors: errors.map(Cow::Borrowed),
        priced: priced.map(Cow::Borrowed),
        unpriced: unpriced.filter(|unpriced| !unpriced.is_empty()).map(Cow::Borrowed),
    };
    // Numbers and texts always serialize.
    Answer { media_type: crate::formats::JSON, body: serde_json::to_vec(&answer).unwrap_or_default() }
}
