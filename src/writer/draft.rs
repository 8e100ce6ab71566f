//! The next commit, while it is put together: PURE but for looking into the ledger.
//!
//! *Invariants.* Each command is decided against everything decided before it, in this commit and in all earlier ones. Nothing is
//! promised to anybody before the commit is on the disk; a draft that is dropped has changed nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::civil::Date;

use super::decide::{Known, NewEvents};
use super::decision::Decision;
use super::tally::Tally;
use super::unsaved::{Unsaved, make_resident};
use super::{Conflict, Recorded, Taking};
use crate::budget::{AllowanceOrder, InUse};
use crate::domain::{Entry, GateChange, LimitOverride, Now, Reservation, ReservationState};
use crate::ledger::{
    BudgetChanges, CallSpan, Commit, KeyedEvent, Ledger, LedgerError, ReservationChange, StoredReservation, StoredTally,
};
use crate::views::tallies::{Crossing, Missing, Tally as BudgetTally};
use crate::views::{Hold, Holds, Published};

/// Lapsed holds that one commit writes down: a few milliseconds. The others stopped counting as well, and follow.
const LAPSED_PER_COMMIT: usize = 1_000;

/// What is going to be committed.
pub(super) struct Draft<'l> {
    pub(super) ledger: &'l Ledger,
    pub(super) now: Now,
    /// The state after what was decided so far, but for the events that are not counted yet.
    pub(super) next: Published,
    pub(super) unsaved: Unsaved,
    pub(super) events: NewEvents,
    /// How many of the events are counted.
    counted: usize,
    /// At which further spans calls are told.
    pub(super) places: Vec<CallSpan>,
    pub(super) changes: Changes,
    pub(super) gate: Vec<GateChange>,
    pub(super) override_changed: bool,
    /// Limits that somebody sets.
    overrides: Vec<LimitOverride>,
    /// The keys of budgets that came to a threshold.
    crossings: Vec<Crossing>,
    pub(super) tally: Tally,
}

/// The reservations that change.
#[derive(Debug, Default)]
pub(super) struct Changes {
    by_seq: BTreeMap<i64, ReservationChange>,
    by_id: HashMap<Arc<str>, i64>,
    granted: i64,
}

/// A draft that is complete.
pub(super) struct Finished {
    pub commit: Commit,
    /// The state to publish once it is on the disk.
    pub next: Published,
    /// What the sums in the file will lack; `None` when they will be up to date.
    pub unsaved: Option<Unsaved>,
    /// The keys of budgets that came to a threshold.
    pub crossings: Vec<Crossing>,
    pub tally: Tally,
}

impl<'l> Draft<'l> {
    /// Begins with what time alone has changed. `days` are those in which events may be added; what the file's sums lack must be in
    /// `unsaved`, or the file's sums up to date.
    pub fn begin(
        ledger: &'l Ledger,
        mut next: Published,
        unsaved: Option<Unsaved>,
        days: impl IntoIterator<Item = Date>,
        now: Now,
    ) -> Result<Self, LedgerError> {
        for day in days {
            make_resident(&mut next.views, ledger, day)?;
        }
        let unsaved = unsaved.unwrap_or_else(|| Unsaved::since(next.views.clone()));
        let events = NewEvents::behind(ledger.events());
        let tally = Tally::default();
        let (changes, gate) = (Changes::default(), Vec::new());
        let mut draft = Self {
            ledger,
            now,
            next,
            unsaved,
            events,
            counted: 0,
            places: Vec::new(),
            changes,
            gate,
            override_changed: false,
            overrides: Vec::new(),
            crossings: Vec::new(),
            tally,
        };
        draft.lapse();
        Ok(draft)
    }

    /// Decides a batch of events. One under the id of an open reservation ends it; a revision of one that did corrects it.
    pub fn record(
        &mut self,
        batch: impl IntoIterator<Item = KeyedEvent>,
        taking: Taking,
    ) -> Result<Decision<Recorded, Vec<Conflict>>, LedgerError> {
        let (ledger, holds, changes) = (self.ledger, &self.next.views.holds, &self.changes);
        let may_settle = !holds.is_empty() || !changes.by_seq.is_empty() || ledger.expired_reservations() > 0;
        // What the event leaves open is known from the reservation.
        let complete = |keyed: &mut KeyedEvent| {
            let open = if may_settle { open_under(ledger, holds, changes, keyed)? } else { None };
            if let Some(open) = open {
                open.reservation.request.complete(&mut keyed.event);
                keyed.reservation = Some(open.seq);
            }
            Ok(())
        };
        let before = self.events.len();
        let decision = self.events.take_batch(batch.into_iter(), taking, |keyed| recorded(ledger, keyed), complete)?;
        if may_settle || matches!(&decision, Decision::Taken(recorded) if recorded.revised > 0) {
            self.settle_behind(before)?;
        }
        Ok(decision)
    }

    /// The event under the same key, new or recorded.
    pub(super) fn known(&self, wanted: &KeyedEvent) -> Result<Option<Known>, LedgerError> {
        self.events.known(wanted, |keyed| recorded(self.ledger, keyed))
    }

    /// Ends the reservations under whose ids events have come, and corrects those whose events were revised.
    pub(super) fn settle_behind(&mut self, count: usize) -> Result<(), LedgerError> {
        let (mut settled, mut revised) = (Vec::new(), Vec::new());
        for (seq, keyed) in self.events.behind_first(count).filter(|(_, keyed)| keyed.reservation.is_some()) {
            match &keyed.entry {
                Entry::First => {
                    if let Some(open) = open_under(self.ledger, &self.next.views.holds, &self.changes, keyed)? {
                        settled.push((open, keyed.event.amount, seq));
                    }
                }
                Entry::Move { .. } => {}
                Entry::Adjustment(adjustment) => revised.push((keyed.event.key.id.clone(), adjustment.standing)),
            }
        }
        for (open, amount, seq) in settled {
            self.end(open, ReservationState::Settled { amount }, Some(seq));
        }
        for (id, amount) in revised {
            // None once it is forgotten.
            let Some(before) = self.reservation_under(&id)? else { continue };
            let state = ReservationState::Settled { amount };
            let reservation = Reservation { state, ..before.reservation.clone() };
            let after = StoredReservation { reservation, ..before.clone() };
            self.changes.put(Some(before), after);
        }
        Ok(())
    }

    /// Ends an open reservation.
    pub(super) fn end(&mut self, before: StoredReservation, state: ReservationState, event_seq: Option<i64>) -> Reservation {
        if self.next.remove_hold(before.seq).is_none() {
            self.next.views.holds.count_expired(0, 1);
        }
        self.tally.ended(state.stage());
        let reservation = Reservation { ended_at: Some(self.now.time), state, ..before.reservation.clone() };
        let after = StoredReservation { seq: before.seq, reservation: reservation.clone(), event_seq };
        self.changes.put(Some(before), after);
        reservation
    }

    /// Counts the events that were taken, so that what follows is decided with them.
    pub(super) fn count_events(&mut self) -> Result<(), LedgerError> {
        let new = self.events.behind_first(self.counted);
        let new = new.map(|(place, keyed)| (place, &keyed.event, &keyed.entry, keyed.day));
        for missing in self.next.missing_for(new.clone()) {
            let found = find_tally(self.ledger, &missing)?;
            self.next.tallies.put_found(&missing, found);
        }
        let (touched, crossings) = self.next.record(new, self.now.time);
        self.unsaved.add(touched);
        self.crossings.extend(crossings);
        self.counted = self.events.len();
        Ok(())
    }

    /// Takes a limit that somebody sets.
    pub(super) fn set_limit(&mut self, line: LimitOverride) -> Result<(), LedgerError> {
        self.count_events()?;
        self.crossings.extend(self.next.set_limit(line.clone(), self.now.time));
        self.overrides.push(line);
        Ok(())
    }

    /// Changes what may be used of budgets that a fleet shares, and says of each what is in use.
    pub(super) fn order_allowances(&mut self, orders: Vec<AllowanceOrder>) -> Result<Vec<Option<InUse>>, LedgerError> {
        self.count_events()?;
        Ok(orders.into_iter().map(|order| self.next.order_allowance(order)).collect())
    }

    /// What time alone brings about: holds lapse, and an operator's word.
    fn lapse(&mut self) {
        self.crossings.extend(self.next.lapse_limits(self.now.time));
        self.tally = Tally::lapsed(self.next.lapse(self.now.steady));
        let holds = &mut self.next.views.holds;
        let lapsed: Vec<_> = holds.lapsed().take(LAPSED_PER_COMMIT).cloned().collect();
        holds.count_expired(lapsed.len() as u64, 0);
        for hold in lapsed {
            self.next.remove_hold(hold.seq);
            let (ended_at, state) = (Some(self.now.time), ReservationState::Expired);
            let reservation = Reservation { ended_at, state, ..hold.reservation() };
            let after = StoredReservation { seq: hold.seq, reservation, event_seq: None };
            self.changes.put(Some(stored(&hold)), after);
        }
        if self.next.views.gate_override.is_some() && self.next.views.manual(self.now.time).is_none() {
            self.next.views.gate_override = None;
            self.override_changed = true;
        }
    }

    /// Completes it. The sums are written with it if they are asked for and not up to date, or may not wait.
    pub fn finish(mut self, wants_rollup: bool) -> Result<Finished, LedgerError> {
        self.count_events()?;
        self.note_gate();
        let events = self.events.into_entries();
        let gate_changed = !self.gate.is_empty() || self.override_changed;
        let must_roll_up = gate_changed || !self.ledger.may_defer_rollup(events.len());
        let (rollup, unsaved) = if must_roll_up || (wants_rollup && !self.unsaved.is_empty()) {
            let gate_override = self.override_changed.then(|| self.next.views.gate_override.clone());
            (Some(self.unsaved.rollup(&self.next.views, self.gate, gate_override)), None)
        } else {
            (None, Some(self.unsaved).filter(|unsaved| !unsaved.is_empty()))
        };
        let budgets = BudgetChanges { overrides: self.overrides, ..BudgetChanges::default() };
        let reservations = self.changes.into_list();
        let commit = Commit { events, places: self.places, reservations, rollup, budgets, ..Commit::default() };
        Ok(Finished { commit, next: self.next, unsaved, crossings: self.crossings, tally: self.tally })
    }
}

/// What the ledger has of a tally that is not in memory.
pub(super) fn find_tally(ledger: &Ledger, missing: &Missing) -> Result<Option<BudgetTally>, LedgerError> {
    let stored = ledger.find_tally(missing.meter, missing.span_start, &missing.key)?;
    Ok(stored.map(|StoredTally { spent, reached, counted_to, .. }| BudgetTally::read_back(spent, reached, counted_to)))
}

/// The event on record under the same key.
fn recorded(ledger: &Ledger, wanted: &KeyedEvent) -> Result<Option<Known>, LedgerError> {
    // Nearly always there is none, which moves no event about.
    let Some(stored) = ledger.find(wanted)? else { return Ok(None) };
    let day = ledger.day_of(stored.event.time);
    Ok(Some(Known::recorded(stored, day)))
}

/// The reservation that an event would end: held, or expired.
fn open_under(
    ledger: &Ledger,
    holds: &Holds,
    changes: &Changes,
    keyed: &KeyedEvent,
) -> Result<Option<StoredReservation>, LedgerError> {
    let key = &keyed.event.key;
    if !key.source.is_empty() {
        return Ok(None);
    }
    if let Some(hold) = holds.find(&key.id) {
        return Ok(Some(stored(hold)));
    }
    match changes.find(&key.id) {
        Some(changed) if changed.reservation.state == ReservationState::Expired => Ok(Some(changed.clone())),
        Some(_) => Ok(None),
        None => ledger.find_expired(&key.id, keyed.key_hash),
    }
}

impl Changes {
    /// Adds a change, or takes one further.
    pub fn put(&mut self, before: Option<StoredReservation>, after: StoredReservation) {
        self.granted += i64::from(before.is_none());
        self.by_id.insert(Arc::clone(&after.reservation.request.id), after.seq);
        match self.by_seq.get_mut(&after.seq) {
            Some(change) => change.after = after,
            None => drop(self.by_seq.insert(after.seq, ReservationChange { before, after })),
        }
    }

    /// A reservation as it is after these changes, if they touch it.
    pub fn find(&self, id: &str) -> Option<&StoredReservation> {
        self.by_id.get(id).and_then(|seq| self.by_seq.get(seq)).map(|change| &change.after)
    }

    /// How many are new.
    pub fn granted(&self) -> i64 {
        self.granted
    }

    fn into_list(self) -> Vec<ReservationChange> {
        self.by_seq.into_values().collect()
    }
}

/// A hold as the ledger has it.
pub(super) fn stored(hold: &Hold) -> StoredReservation {
    StoredReservation { seq: hold.seq, reservation: hold.reservation(), event_seq: None }
}
