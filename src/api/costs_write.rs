//! `POST /costs`, and wherever else events are recorded: what the route's formats make of a body goes to the writer, and the format
//! answers.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::{NoContext, Uuid};
use warp::reply::Response;

use super::State;
use super::answer;
use super::body::HeldBody;
use super::call::{BodyStream, Call};
use super::instruments::{EventResult, Instruments};
use super::problem::Problem;
use super::query_string::QueryString;
use super::request::{INLINE_BYTES_MAX, format_of};
use crate::formats::{Answer, Batch, Counts, Format};
use crate::ingest::Validator;
use crate::writer::{RecordAnswer, RecordError, Taking};

pub(super) async fn record(state: Arc<State>, call: Arc<Call>, body: BodyStream) -> Result<Response, Problem> {
    QueryString::of(&call)?;
    let format = format_of(&call)?;
    let body = state.bodies.read(&call.headers, body).await?;
    let is_large = body.bytes.len() > INLINE_BYTES_MAX;
    let queue = move || queue(&state, &call, format, body);
    // From here on a client that hangs up cancels its wait, while its events are still recorded, counted, and accounted for in
    // memory until they are.
    let (rejected, queued) =
        if is_large { tokio::task::spawn_blocking(queue).await.map_err(|_panicked| Problem::Internal)? } else { queue() }?;
    let mut counts = Counts { rejected, ..Counts::default() };
    if let Some(outcome) = queued {
        let recorded = outcome.await?;
        (counts.accepted, counts.duplicates) = (recorded.accepted, recorded.duplicates);
    }
    let Answer { media_type, body } = (format.answer)(&counts);
    Ok(answer::uncached(media_type, body))
}

/// Reads the events of a body and queues them for the ledger, if there are any; how many are left out.
fn queue(
    state: &Arc<State>,
    call: &Call,
    format: &'static Format,
    HeldBody { bytes, share }: HeldBody,
) -> Result<(usize, Option<impl Future<Output = RecordAnswer> + Send + use<>>), Problem> {
    let received_at = state.clock.now();
    let mut new_id = || new_id(received_at);
    let validator = Validator::new(received_at, &state.limits, &mut new_id);
    let Batch { events, rejected } = (format.read)(&call.headers, &bytes, validator).inspect_err(|error| {
        state.instruments.count_events(format.label, EventResult::Rejected, error.events_seen());
    })?;
    state.instruments.count_events(format.label, EventResult::Rejected, rejected);
    let count = events.len();
    if count == 0 {
        return Ok((rejected, None));
    }
    let counting = Arc::clone(state);
    let receipt = Box::new(move |outcome: &RecordAnswer| {
        count_outcome(&counting.instruments, format.label, count, outcome);
        drop(share);
    });
    Ok((rejected, Some(state.writer.record(events, Taking::AllOrNothing, receipt))))
}

/// An id for an event or a reservation that came without one: a UUIDv7, which sorts by time as the ledger likes it.
pub(super) fn new_id(now: Timestamp) -> Box<str> {
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanoseconds)).to_string().into()
}

/// Counts events, not requests: of a refused batch, the conflicting ones as such and the rest as rejected.
fn count_outcome(instruments: &Instruments, format: &'static str, count: usize, outcome: &RecordAnswer) {
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
