//! A whole body to a list of events: all of them, or why not.

use jiff::Timestamp;

use super::event::{EventReader, Fields};
use super::json::{self, JsonError, JsonProblem, Reader};
use super::problem::Problems;
use super::{Format, IngestError, Limits};
use crate::domain::CostEvent;

/// Reads the events of a body that was decompressed and is known to be within `limits.body_bytes_max`.
///
/// All or nothing: one bad event, and none is returned. What cannot be read at all is reported before any broken rule,
/// wherever in the body it stands. `new_id` is asked for the id of a valid event that has none.
///
/// An array without elements is no events, and so is an NDJSON body of blank lines only, since those are skipped. A body
/// without a single byte is malformed in both formats: it is what a client sends that lost its content.
///
/// # Errors
/// See [`IngestError`].
pub fn read_events(
    format: Format,
    body: &[u8],
    received_at: Timestamp,
    limits: &Limits,
    new_id: &mut dyn FnMut() -> Box<str>,
) -> Result<Vec<CostEvent>, IngestError> {
    let malformed = |detail, events_seen| IngestError::Malformed { detail, events_seen };
    if body.is_empty() {
        return Err(malformed("the body is empty".to_owned(), 0));
    }
    let text = json::read_utf8(body).map_err(|detail| malformed(detail, 0))?;
    let mut batch = Batch {
        reader: EventReader::new(received_at, limits, new_id),
        events_max: limits.events_max,
        events_seen: 0,
        events: Vec::new(),
        problems: Problems::default(),
    };
    let outcome = match format {
        Format::Json => batch.read_json(text),
        Format::NdJson => batch.read_lines(text),
    };
    match outcome {
        Ok(()) if batch.problems.is_empty() => Ok(batch.events),
        Ok(()) => Err(batch.problems.into_error(batch.events_seen)),
        Err(Stop::TooManyEvents) => Err(IngestError::TooManyEvents { limit: limits.events_max }),
        Err(Stop::Malformed(error)) => Err(malformed(error.describe(text), batch.events_seen)),
    }
}

/// What was read of a body so far.
struct Batch<'r> {
    reader: EventReader<'r>,
    events_max: usize,
    events_seen: usize,
    events: Vec<CostEvent>,
    problems: Problems,
}

/// Why the rest of a body is not looked at.
enum Stop {
    Malformed(JsonError),
    TooManyEvents,
}

impl From<JsonError> for Stop {
    fn from(error: JsonError) -> Self {
        Self::Malformed(error)
    }
}

impl Batch<'_> {
    fn read_json(&mut self, text: &str) -> Result<(), Stop> {
        let mut json = Reader::new(text)?;
        match json.peek() {
            Some(b'[') => json.array(|json| self.read_event(json))?,
            Some(b'{') => self.read_event(&mut json)?,
            _ => {
                // Whatever is wrong with its text comes first; a good one is still no place for events.
                json.value()?;
                let problem = JsonProblem::Expected("an object or an array of objects at the top");
                return Err(Stop::Malformed(JsonError { at: 0, problem }));
            }
        }
        Ok(json.end()?)
    }

    fn read_lines(&mut self, text: &str) -> Result<(), Stop> {
        let mut json = Reader::lines(text)?;
        while json.next_line() {
            self.read_event(&mut json)?;
            json.end()?;
        }
        Ok(())
    }

    fn read_event(&mut self, json: &mut Reader<'_>) -> Result<(), Stop> {
        if self.events_seen == self.events_max {
            return Err(Stop::TooManyEvents);
        }
        let index = self.events_seen;
        self.events_seen += 1;
        if json.peek() != Some(b'{') {
            let shape = json.value()?.shape().with_article();
            self.problems.add(index, None, None, || format!("an event must be an object, not {shape}"));
            return Ok(());
        }
        let mut fields = Fields::default();
        json.object(|key, value| fields.take(key, value))?;
        let event = self.reader.read(index, &fields, &mut self.problems);
        // Nothing of a batch with a problem is recorded, so its good events need not be kept.
        if self.problems.is_empty() {
            self.events.extend(event);
        }
        Ok(())
    }
}
