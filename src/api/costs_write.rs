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
use super::problem::{Problem, differences};
use super::query_string::QueryString;
use super::request::{INLINE_BYTES_MAX, format_of};
use crate::domain::{CostEvent, CostSource, NATIVE_ROAD, RESPONSE_SOURCE};
use crate::formats::{Answer, BadEvents, Batch, Counts, Format, LeftOut, Priced, Problems, first_problems};
use crate::ingest::{Limits, REASONS_MAX, Validator};
use crate::wire::PricedItem;
use crate::writer::{Conflict, RecordAnswer, RecordError, Recorded, Taking};

pub(super) async fn record(state: Arc<State>, call: Arc<Call>, body: BodyStream) -> Result<Response, Problem> {
    let query = QueryString::of(&call)?;
    let bad = if query.flag("partial")? { BadEvents::LeaveOut } else { BadEvents::RefuseAll };
    let is_verbose = query.flag("verbose")?;
    let format = format_of(&call)?;
    let body = state.bodies.read(&call.headers, body).await?;
    let is_large = body.bytes.len() > INLINE_BYTES_MAX;
    let queue = move || {
        let HeldBody { bytes, share } = body;
        queue(&state, &call, format, bad, &state.limits, &bytes, share)
    };
    // From here on a client that hangs up cancels its wait, while its events are still recorded, counted, and accounted for in
    // memory until they are.
    let Queued { answer, places, left_out, elsewhere, priced } =
        if is_large { tokio::task::spawn_blocking(queue).await.map_err(|_panicked| Problem::Internal)? } else { queue() }?;
    let recorded = if let Some(answer) = answer { answer.await } else { Ok(Recorded::default()) };
    let Recorded { accepted, duplicates, revised, conflicts, .. } = recorded.map_err(|error| in_body(error, &places))?;
    let (duplicates, priced) = (duplicates + elsewhere, is_verbose.then_some(priced));
    let left_out = (bad == BadEvents::LeaveOut).then(|| with_conflicts(left_out, &places, conflicts));
    let Answer { media_type, body } = (format.answer)(&Counts { accepted, duplicates, revised, left_out, priced });
    Ok(answer::uncached(media_type, body))
}

/// The good events of a body on their way to the ledger.
pub(super) struct Queued<A> {
    /// What becomes of them, if there are any.
    pub answer: Option<A>,
    /// Where in the body each of them stands, if some are left out.
    pub places: Vec<usize>,
    /// What is wrong with the others.
    pub left_out: Problems,
    /// How many another road charges (`charge_from`).
    pub elsewhere: usize,
    /// What those without an amount cost.
    pub priced: Priced,
}

/// Reads the events of a body, or of a part of one, and queues those to record for the ledger; `held` is dropped when they are recorded.
pub(super) fn queue<H: Send + 'static>(
    state: &Arc<State>,
    call: &Call,
    format: &'static Format,
    bad: BadEvents,
    limits: &Limits,
    bytes: &[u8],
    held: H,
) -> Result<Queued<impl Future<Output = RecordAnswer> + Send + use<H>>, Problem> {
    let received_at = state.clock.now();
    let mut new_id = || new_id(received_at);
    let book = state.book.load();
    let validator = Validator::new(received_at, limits, &mut new_id).priced_by(&book);
    let batch = (format.read)(&call.headers, bytes, validator, bad).inspect_err(|error| {
        state.instruments.count_events(format.label, EventResult::Rejected, error.events_seen());
    })?;
    let (Batch { events, places, left_out }, elsewhere) = charged_here(state, batch);
    state.instruments.count_events(format.label, EventResult::Rejected, left_out.bad_events());
    state.instruments.count_events(format.label, EventResult::Duplicate, elsewhere);
    let (count, priced) = (events.len(), priced(&events));
    if count == 0 {
        return Ok(Queued { answer: None, places, left_out, elsewhere, priced });
    }
    let taking = match bad {
        BadEvents::RefuseAll => Taking::AllOrNothing,
        BadEvents::LeaveOut => Taking::GoodOnes,
    };
    let counting = Arc::clone(state);
    let receipt = Box::new(move |outcome: &RecordAnswer| {
        count_outcome(&counting.instruments, format.label, count, outcome);
        drop(held);
    });
    Ok(Queued { answer: Some(state.writer.record(events, taking, receipt)), places, left_out, elsewhere, priced })
}

/// The events of a batch without those that tell calls which another road charges, and how many these are. What another ledger has
/// recorded stays recorded.
fn charged_here(state: &State, batch: Batch) -> (Batch, usize) {
    let is_here = |event: &CostEvent| {
        let provider = event.key.source.strip_prefix(RESPONSE_SOURCE);
        event.first_recorded_at.is_some() || provider.is_none_or(|provider| state.calls.charges(provider, NATIVE_ROAD))
    };
    let Batch { events, places, left_out } = batch;
    if events.iter().all(is_here) {
        return (Batch { events, places, left_out }, 0);
    }
    let count = events.len();
    let places = if places.is_empty() { (0..count).collect() } else { places };
    let (events, places): (Vec<_>, Vec<_>) = events.into_iter().zip(places).filter(|(event, _)| is_here(event)).unzip();
    let elsewhere = count - events.len();
    (Batch { events, places, left_out }, elsewhere)
}

/// What the book made of the events that came without an amount.
fn priced(events: &[CostEvent]) -> Priced {
    let mut priced = Priced::default();
    for event in events.iter().filter(|event| event.first_recorded_at.is_none()) {
        match event.origin.as_ref().map(|origin| &origin.cost) {
            Some(CostSource::Priced(price)) => {
                priced.items.push(PricedItem { id: event.key.id.clone(), amount_usd: event.amount, price: price.clone() })
            }
            Some(CostSource::Unpriced) => priced.unpriced.push(event.key.id.clone()),
            Some(CostSource::Told) | None => {}
        }
    }
    priced
}

/// Conflicts by their places in the body, where not all of its events went to the ledger.
fn in_body(error: RecordError, places: &[usize]) -> RecordError {
    let RecordError::Conflict(mut conflicts) = error else { return error };
    for conflict in &mut conflicts {
        conflict.index = places.get(conflict.index).copied().unwrap_or(conflict.index);
    }
    RecordError::Conflict(conflicts)
}

/// Everything that was left out: invalid events, and those whose id the ledger knows with other content, which stand at these places of
/// the body.
pub(super) fn with_conflicts(invalid: Problems, places: &[usize], conflicts: Vec<Conflict>) -> LeftOut {
    let rejected = invalid.bad_events() + conflicts.len();
    let mut errors = invalid.into_listed();
    let in_body = |index: usize| places.get(index).copied().unwrap_or(index);
    for conflict in conflicts.into_iter().take(REASONS_MAX) {
        errors.extend(differences(&Conflict { index: in_body(conflict.index), ..conflict }));
    }
    errors.sort_by_key(|error| error.index);
    LeftOut { rejected, errors: first_problems(errors) }
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
            instruments.count_events(format, EventResult::Recorded, recorded.accepted + recorded.revised);
            instruments.count_events(format, EventResult::Duplicate, recorded.duplicates);
            instruments.count_events(format, EventResult::Conflict, recorded.conflicts.len());
            instruments.count_suspected(format, recorded.suspected);
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
