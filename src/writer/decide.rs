//! What becomes of a batch: PURE. What is known under an id comes in as a function.
//!
//! *Invariants.* A batch is all or nothing. An id counts once, whether its first event lies in the ledger, in an earlier batch
//! of the same commit, or earlier in the same batch.

use std::collections::HashMap;

use super::{Conflict, RecordError, Recorded};
use crate::domain::{CostEvent, EventKey, differing_fields};

/// The new events of the commit that is being put together.
#[derive(Debug, Default)]
pub(super) struct NewEvents {
    events: Vec<CostEvent>,
    by_key: HashMap<EventKey, usize>,
}

impl NewEvents {
    /// Decides one batch and takes its new events, or none of it.
    ///
    /// # Errors
    /// The outer error is the look-up's; the inner one says why the batch is refused.
    pub fn take_batch<E>(
        &mut self,
        batch: Vec<CostEvent>,
        mut recorded: impl FnMut(&EventKey) -> Result<Option<CostEvent>, E>,
    ) -> Result<Result<Recorded, RecordError>, E> {
        let before = self.events.len();
        let mut conflicts = Vec::new();
        let mut duplicates = 0;
        for (index, event) in batch.into_iter().enumerate() {
            let fields = match self.by_key.get(&event.key) {
                Some(&at) => Some(differing_fields(&self.events[at], &event)),
                None => recorded(&event.key)?.map(|known| differing_fields(&known, &event)),
            };
            match fields {
                None => self.push(event),
                Some(fields) if fields.is_empty() => duplicates += 1,
                Some(fields) => conflicts.push(Conflict { index, id: event.key.id, fields }),
            }
        }
        let accepted = self.events.len() - before;
        if conflicts.is_empty() {
            return Ok(Ok(Recorded { accepted, duplicates }));
        }
        for event in self.events.drain(before..) {
            self.by_key.remove(&event.key);
        }
        Ok(Err(RecordError::Conflict(conflicts)))
    }

    /// The events to record, in order.
    pub fn into_events(self) -> Vec<CostEvent> {
        self.events
    }

    fn push(&mut self, event: CostEvent) {
        self.by_key.insert(event.key.clone(), self.events.len());
        self.events.push(event);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::domain::Usd;

    fn event(id: &str, dollars: i64) -> CostEvent {
        CostEvent {
            key: EventKey { source: "".into(), id: id.into() },
            amount: Usd::from_dollars(dollars),
            ..CostEvent::example()
        }
    }

    fn take(new: &mut NewEvents, batch: Vec<CostEvent>) -> Result<Recorded, RecordError> {
        let ledger = |key: &EventKey| Ok::<_, Infallible>((&*key.id == "old").then(|| event("old", 1)));
        let Ok(outcome) = new.take_batch(batch, ledger);
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
