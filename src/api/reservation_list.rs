//! `GET /reservations` and `GET /reservations/{id}`: what is set aside, and what became of it.
//!
//! *Invariants.* A reservation is shown as expired from the instant at which it stops counting, before the ledger knows. Memory is
//! looked at before the ledger: what leaves memory is in the ledger by then, so nothing falls between the two.

use std::collections::BTreeMap;
use std::sync::Arc;

use warp::reply::Response;

use super::State;
use super::answer;
use super::call::Call;
use super::problem::Problem;
use super::query_string::QueryString;
use crate::domain::{Reservation, ReservationStage, ReservationState, Steady};
use crate::ledger::{LedgerError, Reader};
use crate::views::{Hold, Holds, Published};
use crate::wire::ReservationItem;

/// Items of one answer at most.
const ITEMS_MAX: u32 = 1_000;
/// Items when the client does not say.
const ITEMS_DEFAULT: u32 = 100;

/// Which reservations are asked for, and of which moment.
struct Question {
    published: Arc<Published>,
    now: Steady,
    /// Held, expired, or `None` for both.
    stage: Option<ReservationStage>,
    /// Only those that were made after this one.
    after: Option<String>,
    limit: u32,
}

pub(super) async fn list(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let query = QueryString::of(&call)?;
    let question = Question {
        stage: stage(&query)?,
        limit: query.number("limit", 1..=ITEMS_MAX)?.unwrap_or(ITEMS_DEFAULT),
        after: query.get("after").map(str::to_owned),
        now: state.clock.instant().steady,
        published: state.board.read(),
    };
    // Beside the async threads: looking for what has lapsed may go through all holds.
    let found = state.reads.look_up(move |reader, _| question.answer(reader)).await?;
    let found = found.ok_or_else(|| Problem::malformed("after must be the ID of a known reservation"))?;
    answer::json(&found.iter().map(ReservationItem::from).collect::<Vec<_>>())
}

pub(super) async fn show(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    QueryString::of(&call)?;
    let id = call.id()?;
    let now = state.clock.instant().steady;
    let published = state.board.read();
    let holds = &published.views.holds;
    let reservation = match holds.find(&id) {
        Some(hold) => as_seen(holds, hold, now),
        None => reservation_in_ledger(&state, &id).await?.ok_or(Problem::UnknownReservation)?,
    };
    answer::json(&ReservationItem::from(&reservation))
}

/// The reservation under an id that has left memory.
pub(super) async fn reservation_in_ledger(state: &State, id: &str) -> Result<Option<Reservation>, Problem> {
    let id = id.to_owned();
    let stored = state.reads.look_up(move |reader, _| reader.reservation(&id)).await?;
    Ok(stored.map(|stored| stored.reservation))
}

fn stage(query: &QueryString<'_>) -> Result<Option<ReservationStage>, Problem> {
    match query.get("state") {
        None => Ok(None),
        Some("held") => Ok(Some(ReservationStage::Held)),
        Some("expired") => Ok(Some(ReservationStage::Expired)),
        Some(_) => Err(Problem::malformed("state must be held or expired")),
    }
}

/// A reservation from memory, in the state that it has at this instant.
fn as_seen(holds: &Holds, hold: &Hold, now: Steady) -> Reservation {
    let mut reservation = hold.reservation();
    if stage_of(holds, hold, now) == ReservationStage::Expired {
        reservation.state = ReservationState::Expired;
    }
    reservation
}

fn stage_of(holds: &Holds, hold: &Hold, now: Steady) -> ReservationStage {
    if holds.counts(hold, now) { ReservationStage::Held } else { ReservationStage::Expired }
}

/// The oldest that are held at an instant.
pub(super) fn held(published: &Published, now: Steady, limit: usize) -> Vec<Reservation> {
    let holds = &published.views.holds;
    let held = holds.after(0).filter(|hold| stage_of(holds, hold, now) == ReservationStage::Held);
    held.take(limit).map(|hold| as_seen(holds, hold, now)).collect()
}

impl Question {
    /// The reservations in the order in which they were made; `None` when the one to begin after is not known.
    fn answer(&self, reader: &Reader) -> Result<Option<Vec<Reservation>>, LedgerError> {
        let holds = &self.published.views.holds;
        let Some(after) = self.after_seq(reader)? else { return Ok(None) };
        let limit = self.limit as usize;
        let wanted = |hold: &&Arc<Hold>| self.stage.is_none_or(|stage| stage == stage_of(holds, hold, self.now));
        let in_memory = holds.after(after).filter(wanted).take(limit);
        let mut found: BTreeMap<i64, Reservation> =
            in_memory.map(|hold| (hold.seq, as_seen(holds, hold, self.now))).collect();
        if self.stage != Some(ReservationStage::Held) {
            // What the ledger has come to know since is newer than memory's.
            let stored = reader.expired_reservations(after, self.limit)?;
            found.extend(stored.into_iter().map(|stored| (stored.seq, stored.reservation)));
        }
        Ok(Some(found.into_values().take(limit).collect()))
    }

    /// The place to begin after: 0 is before the first.
    fn after_seq(&self, reader: &Reader) -> Result<Option<i64>, LedgerError> {
        let Some(id) = &self.after else { return Ok(Some(0)) };
        match self.published.views.holds.find(id) {
            Some(hold) => Ok(Some(hold.seq)),
            None => Ok(reader.reservation(id)?.map(|stored| stored.seq)),
        }
    }
}
