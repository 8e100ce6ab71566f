//! What becomes of a batch: PURE. What is known under an id comes in as a function.
//!
//! *Invariants.* A batch is all or nothing. An id counts once, whether its first event lies in the ledger, in an earlier batch
//! of the same commit, or earlier in the same batch.

use hashbrown::HashTable;

use super::{Conflict, RecordError, Recorded};
use crate::domain::{CostEvent, differing_fields};
use crate::ledger::KeyedEvent;

/// The new events of the commit that is being put together.
#[derive(Debug, Default)]
pub(super) struct NewEvents {
    events: Vec<KeyedEvent>,
    /// Where in `events` each key stands, by its hash.
    by_key: HashTable<usize>,
}

impl NewEvents {
    /// Decides one batch and takes its new events, or none of it.
    ///
    /// # Errors
    /// The outer error is the look-up's; the inner one says why the batch is refused.
    pub fn take_batch<E>(
        &mut self,
        batch: impl Iterator<Item = KeyedEvent>,
        mut recorded: impl FnMut(&KeyedEvent) -> Result<Option<CostEvent>, E>,
    ) -> Result<Result<Recorded, RecordError>, E> {
        let before = self.events.len();
        let mut conflicts = Vec::new();
        let mut duplicates = 0;
        for (index, keyed) in batch.enumerate() {
            let fields = match self.taken(&keyed) {
                Some(taken) => Some(differing_fields(&taken.event, &keyed.event)),
                None => recorded(&keyed)?.map(|known| differing_fields(&known, &keyed.event)),
            };
            match fields {
                None => self.push(keyed),
                Some(fields) if fields.is_empty() => duplicates += 1,
                Some(fields) => conflicts.push(Conflict { index, id: keyed.event.key.id, fields }),
            }
        }
        let accepted = self.events.len() - before;
        if conflicts.is_empty() {
            return Ok(Ok(Recorded { accepted, duplicates }));
        }
        for (at, refused) in (before..).zip(self.events.drain(before..)) {
            if let Ok(entry) = self.by_key.find_entry(refused.key_hash, |other| *other == at) {
                entry.remove();
            }
        }
        Ok(Err(RecordError::Conflict(conflicts)))
    }

    /// The events to record, in order.
    pub fn into_events(self) -> Vec<KeyedEvent> {
        self.events
    }

    fn taken(&self, wanted: &KeyedEvent) -> Option<&KeyedEvent> {
        let is_same = |at: &usize| self.events[*at].event.key == wanted.event.key;
        self.by_key.find(wanted.key_hash, is_same).map(|at| &self.events[*at])
    }

    fn push(&mut self, keyed: KeyedEvent) {
        let events = &self.events;
        self.by_key.insert_unique(keyed.key_hash, events.len(), |at| events[*at].key_hash);
        self.events.push(keyed);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::domain::{EventKey, Usd};

    /// All ids share few hashes, so that a hash alone must not decide.
    fn event(id: &str, dollars: i64) -> KeyedEvent {
        let key = EventKey { source: "".into(), id: id.into() };
        let event = CostEvent { key, amount: Usd::from_dollars(dollars), ..CostEvent::example() };
        KeyedEvent { key_hash: id.len() as u64, day: jiff::civil::date(2026, 11, 22), event }
    }

    fn take(new: &mut NewEvents, batch: Vec<KeyedEvent>) -> Result<Recorded, RecordError> {
        let ledger =
            |wanted: &KeyedEvent| Ok::<_, Infallible>((&*wanted.event.key.id == "old").then(|| event("old", 1).event));
        let Ok(outcome) = new.take_batch(batch.into_iter(), ledger);
        outcome
    }

    #[test]
    fn an_id_counts_once_wherever_it_was_seen_first() {
        let mut new = NewEvents::default();
        let first = take(&mut new, vec![event("old", 1), event("a", 2), event("a", 2)]).unwrap();
        assert_eq!(first, Recorded { accepted: 1, duplicates: 2 });
        let second = take(&mut new, vec![event("a", 2), event("b", 3)]).unwrap();
        assert_eq!(second, Recorded { accepted: 1, duplicates: 1 });
        assert_eq!(new.into_events().len(), 2);
    }

    #[test]
    fn a_conflict_refuses_the_whole_batch_and_leaves_no_trace() {
        let mut new = NewEvents::default();
        take(&mut new, vec![event("a", 1)]).unwrap();
        let Err(RecordError::Conflict(conflicts)) =
            take(&mut new, vec![event("b", 1), event("a", 9), event("b", 8), event("old", 7)])
        else {
            panic!("the batch has conflicts")
        };
        let found: Vec<_> = conflicts.iter().map(|conflict| (conflict.index, &*conflict.id)).collect();
        assert_eq!(found, [(1, "a"), (2, "b"), (3, "old")]);
        assert_eq!(conflicts[0].fields, ["amount_usd"]);
        assert_eq!(take(&mut new, vec![event("b", 1)]).unwrap(), Recorded { accepted: 1, duplicates: 0 });
        assert_eq!(new.into_events().len(), 2);
    }
}
