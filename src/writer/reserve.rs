//! What becomes of a reservation: granted, settled, released, extended.
//!
//! *Invariants.* One that is not critical is granted only when it fits every budget that covers it, with all grants and all cost
//! before it counted. Repeating a call that was done gives the same answer; another call on what is over gives none.

use std::time::Duration;

use super::decide::{Known, Retold};
use super::decision::Decision::{self, Refused, Taken};
use super::draft::{Draft, find_tally, stored};
use super::{Done, RecordError, ReservationCommand, ReservationError};
use crate::budget::{Admission, Asking, Refusal, Spend};
use crate::domain::{
    CostEvent, EventKey, Reservation, ReservationRequest, ReservationStage, ReservationState, Settlement, after,
    differing_request_fields,
};
use crate::ledger::{LedgerError, StoredReservation};
use crate::views::Hold;

/// The fields of a settlement: what a repeated settlement is compared by.
const SETTLEMENT_FIELDS: [&str; 7] = ["amount_usd", "time", "model", "usage", "duration_seconds", "outcome", "attributes"];

/// Decided, unless the ledger cannot be read.
type Decided = Result<Decision<Done, ReservationError>, LedgerError>;

impl Draft<'_> {
    /// Decides one command. At most `holds_max` reservations are held at once.
    pub fn reservation(&mut self, command: ReservationCommand, holds_max: usize) -> Decided {
        match command {
            ReservationCommand::Reserve { request, is_priced, is_last } => {
                self.reserve(request, is_priced, is_last, holds_max)
            }
            ReservationCommand::Settle { id, settlement } => self.settle(&id, settlement),
            ReservationCommand::Release { id, reason } => self.release(&id, reason),
            ReservationCommand::Extend { id, ttl_seconds } => self.extend(&id, ttl_seconds),
        }
    }

    fn reserve(&mut self, request: ReservationRequest, is_priced: bool, is_last: bool, holds_max: usize) -> Decided {
        if request.id_given {
            if let Some(first) = self.reservation_under(&request.id)? {
                let fields = differing_request_fields(&first.reservation.request, &request, is_priced);
                let is_retry = fields.is_empty();
                let done = Done { reservation: first.reservation, is_new: false };
                return Ok(if is_retry { Taken(done) } else { Refused(ReservationError::Conflict(fields)) });
            }
            if self.is_event(&request)? {
                return Ok(Refused(ReservationError::Conflict(vec!["id"])));
            }
        }
        if self.next.views.holds.len() >= holds_max {
            return Ok(Refused(RecordError::Overloaded.into()));
        }
        self.count_events()?;
        let spend = Spend { subject: request.subject(), estimate: request.estimated_cost, usage: &request.usage };
        let critical =
            match self.next.admit(spend, Asking::Reservation, self.now, |missing| find_tally(self.ledger, missing))? {
                Admission::Refused(refusal) => {
                    self.tally.denied += u64::from(is_last || !matches!(refusal, Refusal::BeyondAllowance { .. }));
                    return Ok(Refused(ReservationError::Refused(refusal)));
                }
                admitted => admitted == Admission::Critical,
            };
        Ok(Taken(self.grant(request, critical)))
    }

    fn grant(&mut self, request: ReservationRequest, critical: bool) -> Done {
        let ttl = Duration::from_secs(u64::from(request.ttl_seconds));
        let reservation = Reservation {
            critical,
            created_at: self.now.time,
            expires_at: after(self.now.time, request.ttl_seconds),
            ended_at: None,
            state: ReservationState::Held,
            request,
        };
        let seq = self.ledger.reservations() + self.changes.granted() + 1;
        let hold = Hold::until(self.now.steady + ttl, seq, &reservation);
        self.changes.put(None, stored(&hold));
        self.next.put_hold(hold);
        self.tally.held += 1;
        Done { reservation, is_new: true }
    }

    fn settle(&mut self, id: &str, settlement: Settlement) -> Decided {
        let Some(found) = self.reservation_under(id)? else { return Ok(Refused(ReservationError::NotFound)) };
        let stage = found.reservation.state.stage();
        if stage == ReservationStage::Released {
            return Ok(Refused(ReservationError::Finished(stage)));
        }
        let amount = settlement.amount;
        let mut keyed = self.ledger.keyed(found.reservation.request.event(settlement));
        keyed.reservation = Some(found.seq);
        let known = self.known(&keyed)?;
        if stage == ReservationStage::Settled {
            // What an event said that is not kept any more cannot be compared.
            let is_retry = known.is_some_and(|known| is_same_settlement(&known, &keyed.event));
            let done = Done { reservation: found.reservation, is_new: false };
            return Ok(if is_retry { Taken(done) } else { Refused(ReservationError::Finished(stage)) });
        }
        if known.is_some() {
            // Whatever came under its id would have ended it, so this is another's event.
            return Ok(Refused(ReservationError::Conflict(vec!["id"])));
        }
        let event_seq = self.events.next_place();
        self.events.push(keyed);
        let reservation = self.end(found, ReservationState::Settled { amount }, Some(event_seq));
        Ok(Taken(Done { reservation, is_new: true }))
    }

    fn release(&mut self, id: &str, reason: Option<Box<str>>) -> Decided {
        let Some(found) = self.reservation_under(id)? else { return Ok(Refused(ReservationError::NotFound)) };
        Ok(match &found.reservation.state {
            ReservationState::Held | ReservationState::Expired => {
                let reservation = self.end(found, ReservationState::Released { reason }, None);
                Taken(Done { reservation, is_new: true })
            }
            ReservationState::Released { reason: first } if *first == reason => {
                Taken(Done { reservation: found.reservation, is_new: false })
            }
            state => Refused(ReservationError::Finished(state.stage())),
        })
    }

    fn extend(&mut self, id: &str, ttl_seconds: u32) -> Decided {
        let Some(found) = self.reservation_under(id)? else { return Ok(Refused(ReservationError::NotFound)) };
        let hold = self.next.views.holds.find(id).cloned();
        let Some(hold) = hold.filter(|hold| self.next.views.holds.counts(hold, self.now.steady)) else {
            let stage = match found.reservation.state.stage() {
                // It has lapsed, and the ledger does not know it yet.
                ReservationStage::Held => ReservationStage::Expired,
                stage => stage,
            };
            return Ok(Refused(ReservationError::Finished(stage)));
        };
        let deadline = self.now.steady + Duration::from_secs(u64::from(ttl_seconds));
        if deadline <= hold.deadline {
            return Ok(Taken(Done { reservation: found.reservation, is_new: false }));
        }
        let expires_at = found.reservation.expires_at.max(after(self.now.time, ttl_seconds));
        let reservation = Reservation { expires_at, ..found.reservation.clone() };
        let hold = Hold::until(deadline, hold.seq, &reservation);
        self.changes.put(Some(found), stored(&hold));
        self.next.put_hold(hold);
        Ok(Taken(Done { reservation, is_new: true }))
    }

    /// The reservation under an id: open, changed by this draft, or on record.
    pub(super) fn reservation_under(&self, id: &str) -> Result<Option<StoredReservation>, LedgerError> {
        if let Some(hold) = self.next.views.holds.find(id) {
            return Ok(Some(stored(hold)));
        }
        match self.changes.find(id) {
            Some(changed) => Ok(Some(changed.clone())),
            None => self.ledger.find_reservation(id),
        }
    }

    /// Whether the id is that of an event which no reservation was made for.
    fn is_event(&self, request: &ReservationRequest) -> Result<bool, LedgerError> {
        let key = EventKey { source: "".into(), id: Box::from(&*request.id) };
        Ok(self.events.contains(self.ledger.key_hash(&key), &key) || self.ledger.find_event(&key)?.is_some())
    }
}

/// Whether a settlement says what is known already, of which a later revision may have told more.
fn is_same_settlement(known: &Known, again: &CostEvent) -> bool {
    match known.retold(again) {
        Retold::Contradicted(fields) => !fields.iter().any(|field| SETTLEMENT_FIELDS.contains(field)),
        Retold::Again | Retold::Revised => true,
    }
}
