//! What an agent would say of rows, for those who want to know before they send them.

use http::HeaderMap;
use jiff::Timestamp;

use crate::formats::{BadEvents, Batch, BodyError, native};
use crate::ingest::{Limits, Validator};
use crate::wire::ProblemEntry;

/// How many of these lines an agent with default limits would take, how many not, and what is wrong with the first of those, but for what
/// it knows under the same ids.
pub fn check_rows(lines: &str, any_age: bool, now: Timestamp) -> (usize, usize, Vec<ProblemEntry>) {
    let limits = if any_age { Limits::default().of_any_age() } else { Limits::default() };
    let mut new_id = || Box::from("none");
    let validator = Validator::new(now, &limits, &mut new_id);
    let [import] = native::IMPORTS else { return (0, 0, Vec::new()) };
    match (import.read)(&HeaderMap::new(), lines.as_bytes(), validator, BadEvents::LeaveOut) {
        Ok(Batch { events, left_out, .. }) => (events.len(), left_out.bad_events(), left_out.into_listed()),
        Err(BodyError::Invalid { errors, total, .. }) => (0, total, errors),
        Err(error) => {
            let detail = error.to_string();
            (0, lines.lines().count(), vec![ProblemEntry { detail, ..ProblemEntry::default() }])
        }
    }
}
