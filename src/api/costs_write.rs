//! `POST /costs`: records events.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use uuid::{NoContext, Uuid};
use warp::http::HeaderMap;
use warp::http::header::CONTENT_TYPE;
use warp::reply::Response;

use super::State;
use super::answer;
use super::body::HeldBody;
use super::call::{BodyStream, Call};
use super::instruments::{EventResult, Instruments};
use super::problem::Problem;
use super::query::Query;
use crate::domain::CostEvent;
use crate::ingest::{Format, IngestError, read_events};
use crate::writer::{RecordError, Recorded};

/// Bodies up to this size are read where they arrive, which takes less than a millisecond; larger ones beside the async threads,
/// so that they delay nobody else's answer.
const INLINE_BYTES_MAX: usize = 32 * 1024;

pub(super) async fn record(state: Arc<State>, call: Arc<Call>, body: BodyStream) -> Result<Response, Problem> {
    Query::of(&call, &[])?;
    let format = format_of(&call.headers)?;
    let HeldBody { bytes, share } = state.bodies.read(&call.headers, body).await?;
    // A task of its own: a client that hangs up from here on cancels its wait, while its events are still recorded, counted, and
    // accounted for in memory until they are.
    let work = tokio::spawn(async move {
        let recorded = read_and_record(&state, format, bytes).await;
        drop(share);
        recorded
    });
    let recorded = work.await.unwrap_or(Err(Problem::Internal))?;
    Ok(answer::json(&json!({ "accepted": recorded.accepted, "duplicates": recorded.duplicates })))
}

async fn read_and_record(state: &State, format: Format, bytes: Vec<u8>) -> Result<Recorded, Problem> {
    let events = match read(state, format, bytes).await? {
        Ok(events) => events,
        Err(error) => {
            state.instruments.count_events(format.as_str(), EventResult::Rejected, error.events_seen());
            return Err(error.into());
        }
    };
    let count = events.len();
    if count == 0 {
        return Ok(Recorded { accepted: 0, duplicates: 0 });
    }
    let outcome = state.writer.record(events).await;
    count_outcome(&state.instruments, format, count, &outcome);
    Ok(outcome?)
}

/// The events of a body, or why there are none.
async fn read(state: &State, format: Format, bytes: Vec<u8>) -> Result<Result<Vec<CostEvent>, IngestError>, Problem> {
    let (limits, received_at) = (Arc::clone(&state.limits), state.clock.now());
    let is_large = bytes.len() > INLINE_BYTES_MAX;
    let read = move || read_events(format, &bytes, received_at, &limits, &mut || new_id(received_at));
    if is_large { tokio::task::spawn_blocking(read).await.map_err(|_panicked| Problem::Internal) } else { Ok(read()) }
}

/// An id for an event that came without one: a UUIDv7, which sorts by time as the ledger likes it.
fn new_id(now: Timestamp) -> Box<str> {
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanoseconds)).to_string().into()
}

/// Counts events, not requests: of a refused batch, the conflicting ones as such and the rest as rejected.
fn count_outcome(instruments: &Instruments, format: Format, count: usize, outcome: &Result<Recorded, RecordError>) {
    let format = format.as_str();
    match outcome {
        Ok(recorded) => {
            instruments.count_events(format, EventResult::Recorded, recorded.accepted);
            instruments.count_events(format, EventResult::Duplicate, recorded.duplicates);
        }
        Err(RecordError::Conflict(conflicts)) => {
            instruments.count_events(format, EventResult::Conflict, conflicts.len());
            instruments.count_events(format, EventResult::Rejected, count.saturating_sub(conflicts.len()));
        }
        Err(RecordError::Overloaded | RecordError::Unavailable | RecordError::ShuttingDown) => {
            instruments.count_events(format, EventResult::Rejected, count);
        }
    }
}

fn format_of(headers: &HeaderMap) -> Result<Format, Problem> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let format = match (types.next(), types.next()) {
        (Some(value), None) => value.to_str().ok().and_then(Format::from_content_type),
        _ => None,
    };
    const DETAIL: &str = "The Content-Type must be application/json or application/x-ndjson, in UTF-8.";
    format.ok_or(Problem::UnsupportedMediaType(DETAIL.into()))
}
