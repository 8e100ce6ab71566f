//! `GET /events`: single events, page by page.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use warp::reply::Response;

use super::State;
use super::answer;
use super::call::Call;
use super::problem::Problem;
use super::query_string::QueryString;
use crate::domain::{EventKey, EventPlace, EventQuestion, Selection, check_text};
use crate::formats::otlp;
use crate::ingest::{TEXT_BYTES_MAX, sources_of_calls};
use crate::ledger::ListedEvent;
use crate::query::ReadError;
use crate::transfer::read_selection;
use crate::wire::{AdjustmentItem, EventItem, EventsPage};

/// Events of one page at most.
const EVENTS_MAX: u32 = 1_000;
/// Events when the client does not say.
const EVENTS_DEFAULT: u32 = 100;
/// Entries that are read at once, as a short read: some tens of milliseconds. A page that needs more goes on as a long one.
const SHORT_ENTRIES_MAX: i64 = 256 * 1_024;

pub(super) async fn list(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let query = QueryString::of(&call)?;
    let (events, next) = page(&state, question(&state, &query)?).await?;
    let adjustments: Vec<Vec<AdjustmentItem>> = events.iter().map(adjustments).collect();
    let items = events.iter().zip(&adjustments);
    answer::json(&EventsPage {
        events: items.map(|(listed, rest)| EventItem::new(&listed.event, listed.recorded_at, rest)).collect(),
        next: next.map(cursor),
    })
}

/// The question about the newest events.
pub(super) fn newest(limit: usize) -> EventQuestion {
    let selection = Selection::default();
    EventQuestion { selection, keys: vec![], suspected: None, newest_first: true, after: None, limit }
}

/// A page of events, and the place to go on from if there are more.
///
/// # Errors
/// The ledger cannot be read.
pub(super) async fn page(
    state: &State,
    question: EventQuestion,
) -> Result<(Vec<ListedEvent>, Option<EventPlace>), ReadError> {
    let (mut listing, is_complete) = state
        .reads
        .look_up(move |reader, should_stop| {
            let mut listing = reader.begin_listing(question)?;
            let is_complete = reader.continue_listing(&mut listing, SHORT_ENTRIES_MAX, should_stop)?;
            Ok((listing, is_complete))
        })
        .await?;
    if !is_complete {
        let goes_on = move |reader: &crate::ledger::Reader, should_stop: &dyn Fn() -> bool| {
            reader.continue_listing(&mut listing, i64::MAX, should_stop).map(|_| listing)
        };
        listing = state.reads.scan(goes_on).await?;
    }
    state.reads.look_up(move |reader, _| reader.listed(&listing)).await
}

fn adjustments(listed: &ListedEvent) -> Vec<AdjustmentItem> {
    let items = listed.adjustments.iter().map(|adjustment| AdjustmentItem {
        revision: adjustment.revision,
        amount_usd: adjustment.difference,
        recorded_at: adjustment.recorded_at,
    });
    items.collect()
}

fn question(state: &State, query: &QueryString<'_>) -> Result<EventQuestion, Problem> {
    let zone = &state.board.read().policy.zone;
    let mut selection = read_selection(|name| query.get(name), zone).map_err(Problem::malformed)?;
    let newest_first = match query.get("order") {
        None | Some("desc") => true,
        Some("asc") => false,
        Some(_) => return Err(Problem::malformed("order must be desc or asc")),
    };
    let keys = match query.get("id") {
        None => Vec::new(),
        Some("") => return Err(Problem::malformed("id must not be empty: every event has one")),
        Some(id) => {
            check_text(id, TEXT_BYTES_MAX).map_err(|error| Problem::malformed(format!("id {error}")))?;
            // An id is one within its source; without one in the empty one, as when it was recorded, else in those that the agent gives.
            selection.filters.retain(|filter| filter.field != crate::domain::EventField::Source);
            let sources = query.get("source").map_or_else(|| sources(state), |source| vec![source.into()]);
            sources.into_iter().map(|source| EventKey { source, id: id.into() }).collect()
        }
    };
    let after = match query.get("after") {
        None => None,
        Some(text) => Some(place(text).ok_or_else(|| Problem::malformed("after must be what an answer gave as next"))?),
    };
    let limit = query.number("limit", 1..=EVENTS_MAX)?.unwrap_or(EVENTS_DEFAULT) as usize;
    let suspected = match query.get("suspected") {
        None => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(_) => return Err(Problem::malformed("suspected must be true or false")),
    };
    Ok(EventQuestion { selection, keys, suspected, newest_first, after, limit })
}

/// Sources of ids that nobody need know: the empty one, and those that the agent itself gives to calls.
fn sources(state: &State) -> Vec<Box<str>> {
    let published = state.board.read();
    let services: BTreeSet<&str> = published.views.series.iter().map(|(label, _)| label.service.as_str()).collect();
    let book = state.book.load();
    let providers = services.into_iter().chain(book.providers());
    std::iter::once("".into()).chain(sources_of_calls(providers)).chain(otlp::own_sources().map(Box::from)).collect()
}

/// A place as a word that clients hand back. It says nothing but where to go on, so it holds while events come in.
pub(super) fn cursor(place: EventPlace) -> String {
    URL_SAFE_NO_PAD.encode([place.time_ns.to_be_bytes(), place.seq.to_be_bytes(), proof(place)].concat())
}

/// The place that a cursor names; `None` for any other text.
pub(super) fn place(cursor: &str) -> Option<EventPlace> {
    let bytes: [u8; 24] = URL_SAFE_NO_PAD.decode(cursor).ok()?.try_into().ok()?;
    let ([time_ns, seq, stated], []) = bytes.as_chunks::<8>() else { return None };
    let place = EventPlace { time_ns: i64::from_be_bytes(*time_ns), seq: i64::from_be_bytes(*seq) };
    (proof(place) == *stated).then_some(place)
}

/// What tells a cursor from something that only looks like one.
fn proof(EventPlace { time_ns, seq }: EventPlace) -> [u8; 8] {
    let text = format!("events after {time_ns} {seq}");
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let mut proof = [0; 8];
    proof.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    proof
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_and_nothing_else_passes_for_one() {
        for (time_ns, seq) in [(0, 1), (i64::MAX, i64::MAX), (i64::MIN, 7), (-1, 2)] {
            let there = EventPlace { time_ns, seq };
            let text = cursor(there);
            assert_eq!(place(&text), Some(there));
            for at in 0..text.len() {
                let mut other = text.clone().into_bytes();
                other[at] = if other[at] == b'A' { b'B' } else { b'A' };
                let other = String::from_utf8(other).unwrap();
                assert_ne!(place(&other), Some(EventPlace { time_ns, seq: seq.wrapping_add(1) }));
                assert_eq!(place(&other), None, "{other}");
            }
            assert_eq!(place(&text[1..]), None);
            assert_eq!(place(&format!("{text}A")), None);
        }
        for text in ["", "1", "AAAA", &"A".repeat(32)] {
            assert_eq!(place(text), None, "{text}");
        }
    }
}
