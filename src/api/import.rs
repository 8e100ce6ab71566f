//! `POST /import`: events of another ledger or another record of cost, in the order in which they were recorded there.
//!
//! *Invariants.* What is good is recorded, in order; what is bad is told. A body is read a part at a time, and each part queues for the
//! ledger while the next one is read: so one client that sends one body after the other keeps both busy, and the order holds.
//!
//! *Limits.* Those of a body; [`PART_BYTES`] of it at a time.

use std::sync::Arc;

use warp::reply::Response;

use super::State;
use super::answer;
use super::body::HeldBody;
use super::call::{BodyStream, Call};
use super::costs_write::{Queued, queue, with_conflicts};
use super::problem::Problem;
use super::query_string::QueryString;
use super::request::format_of;
use crate::formats::{Answer, BadEvents, Counts, Format, LeftOut, first_problems};
use crate::ingest::Limits;
use crate::writer::{RecordAnswer, Recorded};

/// Bytes of a part: some thousand events, which take a few milliseconds to read and to record.
const PART_BYTES: usize = 512 * 1024;

/// A part on its way to the ledger.
struct Part<A> {
    queued: Queued<A>,
    /// Events before it.
    begin: usize,
}

pub(super) async fn import(state: Arc<State>, call: Arc<Call>, body: BodyStream) -> Result<Response, Problem> {
    let any_age = QueryString::of(&call)?.flag("any_age")?;
    let format = format_of(&call)?;
    let body = state.bodies.read(&call.headers, body).await?;
    let limits = if any_age { Arc::new(state.limits.of_any_age()) } else { Arc::clone(&state.limits) };
    let work = move || read_parts(&state, &call, format, &limits, body);
    let (parts, failure) = tokio::task::spawn_blocking(work).await.map_err(|_panicked| Problem::Internal)?;
    let mut counts = Counts::default();
    let mut left_out = LeftOut::default();
    let mut problem = failure;
    for Part { queued: Queued { answer, places, left_out: invalid, elsewhere, .. }, begin } in parts {
        let recorded = match answer {
            Some(answer) => answer.await,
            None => Ok(Recorded::default()),
        };
        match recorded {
            Ok(Recorded { accepted, duplicates, revised, conflicts, .. }) => {
                counts.accepted += accepted;
                counts.duplicates += duplicates + elsewhere;
                counts.revised += revised;
                add(&mut left_out, with_conflicts(invalid, &places, conflicts), begin);
            }
            // All parts are waited for: what was recorded is a duplicate when the same is sent again.
            Err(error) => problem = Some(error.into()),
        }
    }
    if let Some(problem) = problem {
        return Err(problem);
    }
    counts.left_out = Some(left_out);
    let Answer { media_type, body } = (format.answer)(&counts);
    Ok(answer::uncached(media_type, body))
}

/// Reads a body and queues its parts; why it could not be read to its end, if it could not.
fn read_parts(
    state: &Arc<State>,
    call: &Call,
    format: &'static Format,
    limits: &Limits,
    HeldBody { bytes, share }: HeldBody,
) -> (Vec<Part<impl Future<Output = RecordAnswer> + Send + use<>>>, Option<Problem>) {
    let share = Arc::new(share);
    let (mut parts, mut begin) = (Vec::new(), 0);
    for part in parts_of(&bytes) {
        match queue(state, call, format, BadEvents::LeaveOut, limits, part, Arc::clone(&share)) {
            Ok(queued) => {
                let events = queued.places.len() + queued.elsewhere + queued.left_out.bad_events();
                parts.push(Part { queued, begin });
                begin += events;
            }
            Err(problem) => return (parts, Some(problem)),
        }
    }
    (parts, None)
}

/// Whole lines of some [`PART_BYTES`]; at least one part, be it empty.
fn parts_of(bytes: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = bytes;
    while rest.len() > PART_BYTES {
        let end = rest[PART_BYTES..].iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| PART_BYTES + at + 1);
        let (part, others) = rest.split_at(end);
        parts.push(part);
        rest = others;
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(rest);
    }
    parts
}

fn add(all: &mut LeftOut, more: LeftOut, begin: usize) {
    all.rejected += more.rejected;
    all.errors.extend(more.errors.into_iter().map(|mut error| {
        error.index = error.index.map(|index| begin + index);
        error
    }));
    all.errors = first_problems(std::mem::take(&mut all.errors));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_whole_lines_and_all_there_is() {
        assert_eq!(parts_of(b""), [b""]);
        assert_eq!(parts_of(b"a\nb"), [b"a\nb"]);
        let line = [vec![b'x'; PART_BYTES / 3], vec![b'\n']].concat();
        for count in [1, 3, 4, 7, 9] {
            let body = line.repeat(count);
            let parts = parts_of(&body);
            assert_eq!(parts.concat(), body);
            assert!(parts.iter().all(|part| part.ends_with(b"\n") && part.len() <= PART_BYTES + line.len()));
        }
        assert_eq!(parts_of(&vec![b'x'; 3 * PART_BYTES]).len(), 1);
    }
}
