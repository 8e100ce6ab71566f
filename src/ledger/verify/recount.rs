//! What budgets have counted is what the entries add up to.
//!
//! *Invariants.* A tally counts every entry up to its own `counted_to`, and no later one may be missing from it up to its meter's. Only periods
//! of which retention has removed nothing can be counted anew.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::Connection;
use smallvec::SmallVec;

use super::super::LedgerError;
use super::super::budgets::Meters;
use super::super::events::StoredEvent;
use super::super::head::Head;
use super::super::segment::Segment;
use crate::domain::{BudgetZone, CostEvent, Entry};

/// What an entry adds to what a budget has spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// When the period began.
    pub span_start: Timestamp,
    /// The folded key; empty for a budget that has none.
    pub key: Box<str>,
    /// In the smallest parts of each of the budget's units.
    pub amounts: SmallVec<[i128; 1]>,
}

/// Says of an entry what it adds for one definition; `None` when it does not count.
pub type Counting = Box<dyn FnMut(&CostEvent, &Entry) -> Option<Counted>>;

/// Reads the definition of a meter; `None` when it is not to be counted anew.
pub type ReadDefinition<'a> = &'a dyn Fn(&str) -> Option<Counting>;

/// The meters that are counted anew, while entries pass in order.
pub(super) struct Recount(Vec<Metered>);

struct Metered {
    budget: String,
    counted_to: i64,
    /// Of periods that began before, something may be missing.
    floor: Timestamp,
    counting: Counting,
    tallies: HashMap<(Timestamp, Box<str>), Compared>,
    /// Entries that no tally counts.
    uncounted: u64,
}

/// A tally as it is stored, and as it is counted.
struct Compared {
    stored: SmallVec<[i128; 1]>,
    counted_to: i64,
    found: SmallVec<[i128; 1]>,
}

impl Recount {
    /// Before the first entry. What is wrong with the tables themselves is told elsewhere, and not counted.
    pub fn begin(
        connection: &Connection,
        head: &Head,
        segments: &[Segment],
        zone: &BudgetZone,
        read_definition: ReadDefinition<'_>,
    ) -> Result<Self, LedgerError> {
        let meters = Meters::read(connection, head).unwrap_or_default();
        let pruned = segments.iter().take_while(|segment| segment.number < head.pruned_segments);
        let complete_from = pruned.map(|segment| segment.span(zone).until_ns).max();
        let mut counted = Vec::new();
        for meter in meters.counting().filter(|meter| meter.counted_to > 0) {
            let Some(counting) = read_definition(&meter.definition) else { continue };
            let complete_from = complete_from.map_or(Ok(Timestamp::MIN), |ns| Timestamp::from_nanosecond(ns.into()));
            let floor = meter.counted_from.max(complete_from.unwrap_or(Timestamp::MAX));
            let mut tallies = HashMap::new();
            let all = meters.each_tally(connection, meter.id, |tally| {
                if tally.span_start >= floor {
                    let (stored, counted_to) = (tally.spent, tally.counted_to);
                    let compared = Compared { stored, counted_to, found: SmallVec::new() };
                    tallies.insert((tally.span_start, tally.key), compared);
                }
                Ok(())
            });
            match all {
                Ok(()) => {
                    let (budget, counted_to) = (meter.budget.clone(), meter.counted_to);
                    counted.push(Metered { budget, counted_to, floor, counting, tallies, uncounted: 0 });
                }
                Err(LedgerError::Damaged(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self(counted))
    }

    /// The next entry.
    pub fn add(&mut self, stored: &StoredEvent) {
        for meter in self.0.iter_mut().filter(|meter| stored.event.time >= meter.floor) {
            meter.add(stored);
        }
    }

    /// How many meters are compared.
    pub fn budgets(&self) -> u64 {
        self.0.len() as u64
    }

    /// What is wrong, after the last entry.
    pub fn problems(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().filter_map(Metered::problem)
    }
}

impl Metered {
    fn add(&mut self, StoredEvent { seq, event, entry, .. }: &StoredEvent) {
        let Some(Counted { span_start, key, amounts }) = (self.counting)(event, entry) else { return };
        if span_start < self.floor || amounts.iter().all(|amount| *amount == 0) {
            return;
        }
        match self.tallies.get_mut(&(span_start, key)).filter(|tally| *seq <= tally.counted_to) {
            Some(tally) => {
                tally.found.resize(amounts.len().max(tally.found.len()), 0);
                for (found, amount) in tally.found.iter_mut().zip(amounts) {
                    *found = found.saturating_add(amount);
                }
            }
            None => self.uncounted += u64::from(*seq <= self.counted_to),
        }
    }

    fn problem(&self) -> Option<String> {
        let wrong = self.tallies.values().filter(|tally| tally.stored != tally.found).count();
        let Self { budget, uncounted, .. } = self;
        (wrong > 0 || *uncounted > 0).then(|| {
            format!("budget {budget:?}: {wrong} sums are not what the events add up to, {uncounted} events are in none")
        })
    }
}
