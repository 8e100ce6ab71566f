//! CloudEvents 1.0 over HTTP that tell what something cost: structured, in batches, or binary. OpenMeter's senders speak it, LiteLLM's
//! `openmeter` callback among them.
//!
//! The crate `cloudevents-sdk` is not used: it reads a body whole, makes floats of the numbers in `data`, and refuses what real senders
//! send, such as headers that are not percent-encoded.
//!
//! *Policy.* A body of which no event can be taken is malformed, so that its sender learns why; of a batch, the good events are recorded.
//!
//! *Limits.* Those of `items`; the `data` of a binary event is an item.

mod content;
mod event;
mod header;
#[cfg(test)]
mod tests;

use std::io::{BufRead, Read};

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use self::event::Event;
use super::calls::counts_answer;
use super::items::{Between, ItemError, each_item};
use super::json::Stop;
use super::{Answer, CallAnswer, CallCounts, CallError, CallFormat, CallSink, ITEM_BYTES_MAX, JSON, media_type};
use crate::wire::ProblemDocument;

/// What `POST /ingest/cloudevents` and `POST /api/v1/events` take.
pub const FORMATS: &[CallFormat] =
    &[CallFormat { label: event::ROAD, media_types: MEDIA_TYPES, matches, read, answer, refuse: None }];

const STRUCTURED: &str = "application/cloudevents+json";
const BATCHED: &str = "application/cloudevents-batch+json";
/// JSON by itself is the data of a binary event where there are headers of one, and else events, as OpenMeter takes them.
const MEDIA_TYPES: &[&str] = &[STRUCTURED, BATCHED, JSON];

/// How an event is put into a message (HTTP protocol binding, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// The body has the event, or several.
    Structured,
    /// The body is its data.
    Binary,
}

fn mode(headers: &HeaderMap) -> Option<Mode> {
    let essence = media_type(headers).map(str::to_ascii_lowercase);
    match essence.as_deref() {
        Some(STRUCTURED | BATCHED) => Some(Mode::Structured),
        Some(other) if other.starts_with("application/cloudevents") => None,
        _ if header::is_event(headers) => Some(Mode::Binary),
        Some(JSON) => Some(Mode::Structured),
        None if !headers.contains_key(CONTENT_TYPE) => Some(Mode::Structured),
        _ => None,
    }
}

fn matches(headers: &HeaderMap) -> bool {
    mode(headers).is_some()
}

fn read(headers: &HeaderMap, body: &mut dyn BufRead, sink: &mut dyn CallSink) -> Result<(), CallError> {
    if mode(headers) != Some(Mode::Binary) {
        return each_item(body, Between::Anything, sink, &mut |text, sink| take(Event::of_json(text)?, sink));
    }
    let mut data = Vec::new();
    let bytes_max = ITEM_BYTES_MAX as u64;
    body.take(bytes_max + 1).read_to_end(&mut data)?;
    if data.len() > ITEM_BYTES_MAX {
        return Err(CallError::TooLarge(format!("An event's data must not exceed {ITEM_BYTES_MAX} bytes.")));
    }
    let taken = Event::of_headers(headers, &data).and_then(|event| take(event, sink));
    taken.map_err(|error| match error {
        ItemError::Unreadable(why) => CallError::Malformed(format!("The event's data is not valid JSON: {why}")),
        ItemError::Rejected(why) => CallError::Malformed(format!("The event is not recorded: {why}")),
        ItemError::Stop(error) => error,
    })
}

fn take(event: Event<'_>, sink: &mut dyn CallSink) -> Result<(), ItemError> {
    match event.call(sink.keys())? {
        Some(call) => sink.call(&call)?,
        None => sink.ignore(crate::ingest::Ignored::NotACall, 1),
    }
    Ok(())
}

fn answer(counts: &CallCounts) -> CallAnswer {
    let taken = counts.accepted + counts.duplicates + counts.revised + counts.ignored;
    match (counts.rejected, taken) {
        (0, _) => CallAnswer { status: StatusCode::NO_CONTENT, body: None },
        (1.., 0) => {
            let why = counts.why_rejected.as_deref().unwrap_or("it contradicts what is on record");
            let problem = ProblemDocument {
                r#type: "/problems/malformed".into(),
                title: "Malformed request".into(),
                status: StatusCode::BAD_REQUEST.as_u16(),
                detail: format!("The event is not recorded: {why}").into(),
                ..ProblemDocument::default()
            };
            let body = serde_json::to_vec(&problem).unwrap_or_default();
            CallAnswer {
                status: StatusCode::BAD_REQUEST,
                body: Some(Answer { media_type: "application/problem+json", body }),
            }
        }
        (1.., _) => CallAnswer { status: StatusCode::OK, body: Some(counts_answer(counts)) },
    }
}

impl From<Stop> for ItemError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Malformed(error) => Self::Unreadable(error.to_string()),
            Stop::Asked => Self::Unreadable("it was not read to its end".to_owned()),
        }
    }
}
