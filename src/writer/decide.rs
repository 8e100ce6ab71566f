//! What becomes of a batch: PURE. What is known under an id comes in as a function.
//!
//! *Invariants.* A batch is all or nothing. An id counts once, whether its first event lies in the ledger, in an earlier batch
//! of the same commit, or earlier in the same batch.

use hashbrown::HashTable;

use super::decision::Decision::{self, Refused, Taken};
use super::{Conflict, Recorded};
use crate::domain::{CostEvent, EventKey, differing_fields};
use crate::ledger::{KeyedEvent, StoredEvent};

/// The new events of the commit that is being put together.
#[derive(Debug)]
pub(super) struct NewEvents {
    /// The place of the newest event before them.
    newest: i64,
    events: Vec<KeyedEvent>,
    /// Where in `events` each key stands, by its hash.
    by_key: HashTable<usize>,
}

/// An event that is known.
#[derive(Debug)]
pub(super) struct Known {
    pub event: CostEvent,
    /// Whether it settled a reservation.
    pub is_settlement: bool,
}

impl NewEvents {
    /// None yet; the first will come behind the event at this place.
    pub fn behind(newest: i64) -> Self {
        Self { newest, events: Vec::new(), by_key: HashTable::new() }
    }

    /// Decides one batch and takes its new events, or none of it; each new one is given to `complete` before.
    ///
    /// # Errors
    /// The look-up's.
    pub fn take_batch<E>(
        &mut self,
        batch: impl Iterator<Item = KeyedEvent>,
        recorded: impl Fn(&KeyedEvent) -> Result<Option<StoredEvent>, E>,
        complete: impl Fn(&mut KeyedEvent) -> Result<(), E>,
    ) -> Result<Decision<Recorded, Vec<Conflict>>, E> {
        let before = self.events.len();
        let mut conflicts = Vec::new();
        let mut duplicates = 0;
        for (index, mut keyed) in batch.enumerate() {
            match self.known(&keyed, &recorded)? {
                None => {
                    complete(&mut keyed)?;
                    self.push(keyed);
                }
                Some(known) => match differences(&known, &keyed.event) {
                    fields if fields.is_empty() => duplicates += 1,
                    fields => conflicts.push(Conflict { index, id: keyed.event.key.id, fields }),
                },
            }
        }
        let accepted = self.events.len() - before;
        if conflicts.is_empty() {
            return Ok(Taken(Recorded { accepted, duplicates }));
        }
        for (at, refused) in (before..).zip(self.events.drain(before..)) {
            if let Ok(entry) = self.by_key.find_entry(refused.key_hash, |other| *other == at) {
                entry.remove();
            }
        }
        Ok(Refused(conflicts))
    }

    /// The event under the same key, new or recorded.
    ///
    /// # Errors
    /// The look-up's.
    pub fn known<E>(
        &self,
        wanted: &KeyedEvent,
        recorded: impl Fn(&KeyedEvent) -> Result<Option<StoredEvent>, E>,
    ) -> Result<Option<Known>, E> {
        if let Some(at) = self.position(wanted.key_hash, &wanted.event.key) {
            let KeyedEvent { event, reservation, .. } = &self.events[at];
            return Ok(Some(Known { event: event.clone(), is_settlement: reservation.is_some() }));
        }
        let found = recorded(wanted)?;
        Ok(found.map(|StoredEvent { event, reservation, .. }| Known { event, is_settlement: reservation.is_some() }))
    }

    /// Takes an event that is not known.
    pub fn push(&mut self, keyed: KeyedEvent) {
        let events = &self.events;
        self.by_key.insert_unique(keyed.key_hash, events.len(), |at| events[*at].key_hash);
        self.events.push(keyed);
    }

    /// Whether one of them has this key, whose hash is given.
    pub fn contains(&self, key_hash: u64, key: &EventKey) -> bool {
        self.position(key_hash, key).is_some()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Those behind the first so many, each with its place.
    pub fn behind_first(&self, count: usize) -> impl Iterator<Item = (i64, &KeyedEvent)> {
        (count..).map(|at| self.place(at)).zip(&self.events[count..])
    }

    /// The events to record, in order.
    pub fn into_events(self) -> Vec<KeyedEvent> {
        self.events
    }

    fn position(&self, key_hash: u64, key: &EventKey) -> Option<usize> {
        self.by_key.find(key_hash, |at| self.events[*at].event.key == *key).copied()
    }

    /// Where the event that stands here among the new ones will stand in the ledger.
    fn place(&self, at: usize) -> i64 {
        self.newest + at as i64 + 1
    }
}

/// The fields in which a retry differs. Who the work was for is known from the reservation, so a retry of its settlement need not
/// say it again.
fn differences(known: &Known, retry: &CostEvent) -> Vec<&'static str> {
    let mut fields = differing_fields(&known.event, retry);
    let is_left_out = |field: &&str| match *field {
        "worker" => retry.worker.is_none(),
        "batch_id" => retry.batch_id.is_none(),
        "lead_id" => retry.lead_id.is_none(),
        _ => false,
    };
    if known.is_settlement {
        fields.retain(|field| !is_left_out(field));
    }
    fields
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::domain::Usd;

    /// All ids share few hashes, so that a hash alone must not decide.
    fn event(id: &str, dollars: i64) -> KeyedEvent {
        let key = EventKey { source: "".into(), id: id.into() };
        let event = CostEvent { key, amount: Usd::from_dollars(dollars), ..CostEvent::example() };
        KeyedEvent { key_hash: id.len() as u64, day: jiff::civil::date(2026, 11, 22), event, reservation: None }
    }

    fn take(new: &mut NewEvents, batch: Vec<KeyedEvent>) -> Result<Recorded, Vec<Conflict>> {
        // On record is one event, which settled a reservation of worker `w`.
        let recorded = |wanted: &KeyedEvent| {
            let old = CostEvent { worker: Some("w".into()), ..event("old", 1).event };
            let stored = StoredEvent { seq: 1, recorded_at: old.time, event: old, reservation: Some(7) };
            Ok::<_, Infallible>((&*wanted.event.key.id == "old").then_some(stored))
        };
        let Ok(decision) = new.take_batch(batch.into_iter(), recorded, |_| Ok(()));
        decision.into_answer()
    }

    #[test]
    fn a_retry_of_a_settlement_need_not_say_again_who_the_work_was_for() {
        let mut new = NewEvents::behind(1);
        let mut other = event("old", 1);
        other.event.worker = Some("somebody else".into());
        assert!(take(&mut new, vec![event("old", 1)]).is_ok());
        assert!(matches!(take(&mut new, vec![other]), Err(found) if found[0].fields == ["worker"]));
        assert!(take(&mut new, vec![event("old", 2)]).is_err());
    }

    #[test]
    fn an_id_counts_once_wherever_it_was_seen_first() {
        let mut new = NewEvents::behind(1);
        let first = take(&mut new, vec![event("old", 1), event("a", 2), event("a", 2)]).unwrap();
        assert_eq!(first, Recorded { accepted: 1, duplicates: 2 });
        let second = take(&mut new, vec![event("a", 2), event("b", 3)]).unwrap();
        assert_eq!(second, Recorded { accepted: 1, duplicates: 1 });
        assert_eq!(new.into_events().len(), 2);
    }

    #[test]
    fn a_conflict_refuses_the_whole_batch_and_leaves_no_trace() {
        let mut new = NewEvents::behind(1);
        take(&mut new, vec![event("a", 1)]).unwrap();
        let Err(conflicts) = take(&mut new, vec![event("b", 1), event("a", 9), event("b", 8), event("old", 7)]) else {
            panic!("the batch has conflicts")
        };
        let found: Vec<_> = conflicts.iter().map(|conflict| (conflict.index, &*conflict.id)).collect();
        assert_eq!(found, [(1, "a"), (2, "b"), (3, "old")]);
        assert_eq!(conflicts[0].fields, ["amount_usd"]);
        assert_eq!(take(&mut new, vec![event("b", 1)]).unwrap(), Recorded { accepted: 1, duplicates: 0 });
        assert_eq!(new.into_events().len(), 2);
    }
}
