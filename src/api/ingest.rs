//! The routes that take calls: what LiteLLM, CloudEvents and OpenTelemetry send, read as it comes and recorded when it was read to its end.
//!
//! *Invariants.* The answer comes after everything that was taken is on the disk. A body that cannot be read to its end leaves no trace.
//! Whatever may be sent again later is answered with 503: these senders give a batch up on other statuses.
//!
//! *Limits.* `max_ingest_body_bytes` of a body; [`CALLS_PER_BODY_MAX`] calls of it; the [room](super::room) for all of them.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::Arc;

use jiff::Timestamp;
use warp::reply::Response;

use super::State;
use super::answer;
use super::arrival::Arrival;
use super::call::{BodyStream, Call as Request};
use super::costs_write::new_id;
use super::cut::Cut;
use super::endpoint::Accepts;
use super::instruments::EventResult;
use super::problem::Problem;
use super::request::unsupported;
use super::room::Held;
use super::streamed_body::{StreamedBody, body_channel, hand_over};
use crate::domain::CostEvent;
use crate::formats::{Answer, CallAnswer, CallCounts, CallError, CallFormat, CallSink};
use crate::ingest::{Call, CallKeys, CallRules, Ignored, TakenCall};
use crate::pricing::Book;
use crate::writer::{RecordAnswer, Recorded, Taking};

/// Calls of one body.
const CALLS_PER_BODY_MAX: usize = 100_000;
/// Calls that are recorded together: what a request of events may have.
const CALLS_PER_BATCH: usize = 10_000;

/// What was read of a body.
struct Collected<'r> {
    rules: CallRules<'r>,
    keys: &'r CallKeys,
    room: Held,
    events: Vec<CostEvent>,
    charged_elsewhere: usize,
    ignored: BTreeMap<Ignored, usize>,
    rejected: usize,
    why_rejected: Option<String>,
}

/// A body that was read, with its calls on their way to the ledger.
struct Queued<A> {
    counts: CallCounts,
    ignored: BTreeMap<Ignored, usize>,
    answers: Vec<A>,
}

pub(super) async fn ingest(state: Arc<State>, request: Arc<Request>, body: BodyStream) -> Result<Response, Problem> {
    let Accepts::Calls(formats) = request.endpoint.accepts else { return Err(Problem::Internal) };
    let format = formats.iter().find(|format| (format.matches)(&request.headers)).ok_or_else(|| unsupported(&request))?;
    match take(&state, &request, format, body).await {
        Ok(counts) => Ok(respond((format.answer)(&counts))),
        Err(problem) => Err(match format.refuse {
            Some(refuse) => Problem::InOtherTerms(Box::new(problem), refuse),
            None => problem,
        }),
    }
}

fn respond(CallAnswer { status, body }: CallAnswer) -> Response {
    let mut response = match body {
        Some(Answer { media_type, body }) => answer::uncached(media_type, body),
        None => Response::default(),
    };
    *response.status_mut() = status;
    response
}

/// Reads a body and has its calls recorded.
pub(super) async fn take(
    state: &Arc<State>,
    request: &Arc<Request>,
    format: &'static CallFormat,
    body: BodyStream,
) -> Result<CallCounts, Problem> {
    let bytes_max = state.ingest_body_bytes_max;
    let is_gzip = super::body::is_gzip(&request.headers)?;
    if super::body::announced_bytes(&request.headers) > bytes_max {
        return Err(Cut::Large.problem(bytes_max));
    }
    let mut body = Arrival::new(body, state.body_timeout);
    body.begin().await.map_err(|cut| cut.problem(bytes_max))?;
    let place = state.room.bodies.take().await.ok_or(Problem::Overloaded)?;
    let (give, reader) = body_channel(is_gzip, bytes_max);
    let work = {
        let (state, request) = (Arc::clone(state), Arc::clone(request));
        move || {
            let queued = read(&state, &request, format, reader, bytes_max);
            drop(place);
            queued
        }
    };
    let mut reading = tokio::task::spawn_blocking(work);
    let queued = tokio::select! {
        // What cannot be read is answered at once, whatever else may come.
        queued = &mut reading => queued,
        () = hand_over(body, bytes_max, || state.room.bodies.are_wanted(), give) => reading.await,
    };
    let Queued { mut counts, ignored, answers } = queued.map_err(|_panicked| Problem::Internal)??;
    state.instruments.count_ignored(format.label, &ignored);
    for answer in answers {
        let Recorded { accepted, duplicates, revised, conflicts, cache_hits, aggregates, .. } = answer.await?;
        counts.accepted += accepted;
        counts.duplicates += duplicates;
        counts.revised += revised;
        counts.ignored += cache_hits + aggregates;
        counts.rejected += conflicts.len();
    }
    Ok(counts)
}

/// Reads a body to its end and queues its calls for the ledger. From then on they are recorded whether the client waits or not.
fn read(
    state: &Arc<State>,
    request: &Request,
    format: &'static CallFormat,
    mut reader: StreamedBody,
    bytes_max: usize,
) -> Result<Queued<impl Future<Output = RecordAnswer> + Send + use<>>, Problem> {
    let received_at = state.clock.now();
    let mut new_id = || new_id(received_at);
    let book = state.book.load();
    let mut collected = Collected::new(state, &book, received_at, &mut new_id);
    let outcome = (format.read)(&request.headers, &mut reader, &mut collected).and_then(|()| at_end(&mut reader));
    if let Err(error) = outcome {
        return Err(problem_of(error, reader.cut(), bytes_max));
    }
    let Collected { room, events, charged_elsewhere, ignored, rejected, why_rejected, .. } = collected;
    if let Some(why) = &why_rejected {
        tracing::warn!(format = format.label, rejected, why, "calls could not be recorded");
    }
    state.instruments.count_events(format.label, EventResult::Rejected, rejected);
    state.instruments.count_events(format.label, EventResult::Duplicate, charged_elsewhere);
    let counts = CallCounts {
        duplicates: charged_elsewhere,
        ignored: ignored.values().sum(),
        rejected,
        why_rejected,
        ..CallCounts::default()
    };
    let room = Arc::new(room);
    let mut events = events.into_iter();
    let mut answers = Vec::new();
    while !events.as_slice().is_empty() {
        let batch: Vec<CostEvent> = events.by_ref().take(CALLS_PER_BATCH).collect();
        let (state_of, room, count) = (Arc::clone(state), Arc::clone(&room), batch.len());
        let receipt = Box::new(move |outcome: &RecordAnswer| {
            state_of.instruments.count_calls(format.label, count, outcome);
            drop(room);
        });
        answers.push(state.writer.record(batch, Taking::Calls, receipt));
    }
    Ok(Queued { counts, ignored, answers })
}

/// Fails unless everything was read.
fn at_end(reader: &mut StreamedBody) -> Result<(), CallError> {
    if reader.fill_buf()?.is_empty() { Ok(()) } else { Err(CallError::Malformed("Something follows the body's end".into())) }
}

/// Why a body was not read; that it did not come whole explains whatever else was found wrong with it.
fn problem_of(error: CallError, cut: Option<Cut>, bytes_max: usize) -> Problem {
    match (cut, error) {
        (Some(cut), _) => cut.problem(bytes_max),
        (None, CallError::Malformed(detail)) => Problem::Malformed(detail.into()),
        (None, CallError::TooLarge(detail)) => Problem::TooLarge(detail.into()),
        (None, CallError::NoRoom) => Problem::Overloaded,
        (None, CallError::Body(error)) => Problem::Malformed(format!("The body cannot be read: {error}").into()),
    }
}

impl<'r> Collected<'r> {
    fn new(state: &'r State, book: &'r Book, received_at: Timestamp, new_id: &'r mut dyn FnMut() -> Box<str>) -> Self {
        let rules = CallRules::new(received_at, book, &state.calls, &state.limits, new_id);
        let room = state.room.for_calls();
        Self {
            rules,
            keys: &state.calls.keys,
            room,
            events: Vec::new(),
            charged_elsewhere: 0,
            ignored: BTreeMap::new(),
            rejected: 0,
            why_rejected: None,
        }
    }
}

impl CallSink for Collected<'_> {
    fn keys(&self) -> &CallKeys {
        self.keys
    }

    fn call(&mut self, call: &Call<'_>) -> Result<(), CallError> {
        match self.rules.take(call) {
            TakenCall::Event(event) => {
                if self.events.len() == CALLS_PER_BODY_MAX {
                    let detail = format!("The body has more than {CALLS_PER_BODY_MAX} calls; send fewer at once.");
                    return Err(CallError::TooLarge(detail));
                }
                if !self.room.grow_to(self.events.len() + 1) {
                    return Err(CallError::NoRoom);
                }
                self.events.push(*event);
            }
            TakenCall::ChargedElsewhere => self.charged_elsewhere += 1,
            TakenCall::Ignored(why) => self.ignore(why, 1),
            TakenCall::Rejected(why) => self.reject(&|| why.clone()),
        }
        Ok(())
    }

    fn ignore(&mut self, why: Ignored, count: usize) {
        if count > 0 {
            *self.ignored.entry(why).or_default() += count;
        }
    }

    fn reject(&mut self, why: &dyn Fn() -> String) {
        self.rejected += 1;
        if self.why_rejected.is_none() {
            self.why_rejected = Some(why());
        }
    }
}
