//! What the writer remembers of calls besides what is in the ledger: the traces that were told of last, and the newest calls.
//!
//! *Invariants.* It only ever says what the ledger says, with the entries that are about to be committed, and besides that which spans lie above
//! others. So it may be let go at any time between two commits; it is, when a commit fails.
//!
//! *Limits.* [`PLACES_MAX`], and [`PLACES_UNCOUNTED_MAX`] more before they are counted.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use super::recent::Recent;
use super::trace::{PlacedCall, Trace};
use crate::domain::{SpanPlace, TraceId};
use crate::ledger::{Ledger, LedgerError};

/// Calls and links of traces that are kept between commits, a few hundred bytes each. Beyond it the traces that nobody told of for longest go.
const PLACES_MAX: usize = 16_384;

/// Calls and links that may have come between two counts of what is kept: counting goes through all traces.
const PLACES_UNCOUNTED_MAX: usize = 1_024;

/// The traces and calls that were told of last.
#[derive(Debug, Default)]
pub(super) struct Memory {
    traces: HashMap<TraceId, Remembered>,
    /// The calls that were recorded last.
    pub recent: Recent,
    /// Counts how often a trace was looked at.
    clock: u64,
    /// Places that may have come since they were counted last.
    uncounted: usize,
}

#[derive(Debug, Default)]
struct Remembered {
    trace: Trace,
    looked_at: u64,
}

impl Memory {
    /// The trace of a place, with what this says of it.
    pub fn trace_of(&mut self, place: &SpanPlace, ledger: &Ledger) -> Result<&mut Trace, LedgerError> {
        self.clock += 1;
        let remembered = match self.traces.entry(place.trace) {
            Slot::Occupied(slot) => slot.into_mut(),
            Slot::Vacant(slot) => {
                let trace = read(ledger, place.trace)?;
                self.uncounted += trace.len();
                slot.insert(Remembered { trace, looked_at: 0 })
            }
        };
        // The call that is told there, and a link for each span of its line.
        self.uncounted += 2 + place.ancestors.len();
        remembered.looked_at = self.clock;
        remembered.trace.learn(place);
        Ok(&mut remembered.trace)
    }

    /// Lets go of the oldest, if it has become much.
    pub fn trim(&mut self) {
        if self.uncounted < PLACES_UNCOUNTED_MAX {
            return;
        }
        self.uncounted = 0;
        let mut places: usize = self.traces.values().map(|remembered| remembered.trace.len()).sum();
        if places <= PLACES_MAX {
            return;
        }
        let mut by_age: Vec<_> = self.traces.iter().map(|(id, remembered)| (remembered.looked_at, *id)).collect();
        by_age.sort_unstable();
        // More than necessary, so that it need not be done each time.
        for (_, id) in by_age {
            if places <= PLACES_MAX / 2 {
                break;
            }
            places -= self.traces.remove(&id).map_or(0, |remembered| remembered.trace.len());
        }
    }

    /// Lets go of everything.
    pub fn clear(&mut self) {
        self.traces.clear();
        self.recent.clear();
    }
}

/// A trace as the ledger knows it.
fn read(ledger: &Ledger, id: TraceId) -> Result<Trace, LedgerError> {
    let mut trace = Trace::default();
    for call in ledger.calls_of(id)? {
        let Some(stored) = ledger.newest_telling(call.seq)? else { continue };
        let event = stored.entry.stand(stored.event);
        trace.learn(&call.place);
        trace.add(PlacedCall::new(Some(call.seq), call.place.span, &event));
    }
    Ok(trace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BudgetZone, SpanId};

    #[test]
    fn traces_that_nobody_told_of_for_longest_are_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        let ledger = Ledger::open(&folder.path().join("ledger.db"), &BudgetZone::UTC, now).unwrap();
        let mut memory = Memory::default();
        let place = |number: u32| {
            let mut trace = [1; 16];
            trace[..4].copy_from_slice(&number.to_be_bytes());
            SpanPlace {
                trace: TraceId(trace),
                span: SpanId([1; 8]),
                ancestors: vec![SpanId([2; 8]), SpanId([3; 8])],
                is_rooted: false,
            }
        };
        let mut ids: Vec<u32> = (0..=PLACES_MAX as u32).collect();
        ids.push(0);
        for number in ids {
            memory.trace_of(&place(number), &ledger).unwrap();
        }
        memory.trim();
        assert_eq!(memory.traces.len(), PLACES_MAX / 2 / 2, "each has what is above two spans");
        assert!(memory.traces.contains_key(&place(0).trace), "it was told of last");
        assert!(!memory.traces.contains_key(&place(1).trace));
        memory.clear();
        assert!(memory.traces.is_empty());
    }
}
