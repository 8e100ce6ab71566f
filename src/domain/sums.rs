//! Added-up entries, and what they are added up by.

use std::ops::AddAssign;

use super::{CostEvent, Entry, Kind, Name, OTHER_LABEL, Usd};

/// Service and operation names that one day's rollup tells apart, beyond an `other` for each service. A day with so many names is a
/// fault in a worker (an id used as a name), and memory must not follow it; the events themselves keep their names.
pub const PAIRS_PER_DAY_MAX: usize = 100_000;

/// Service and model pairs whose charges have a metric series of their own; those of further ones are added up under
/// `other`/`other`.
pub const MODEL_PAIRS_MAX: usize = 200;

/// A service and one of its operations.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    /// The paid service.
    pub service: Name,
    /// What it was asked to do.
    pub operation: Name,
}

/// Added-up entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Zero or more: what was charged, and what revisions have added.
    pub charges: Usd,
    /// Zero or less: what came back, and what revisions have taken off.
    pub credits: Usd,
    /// How many entries.
    pub entries: u64,
}

/// A series of counted quantities. The model is empty when the event named none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsageKey {
    /// The service's metric label.
    pub service: Name,
    /// The model's metric label.
    pub model: Box<str>,
    /// What is counted.
    pub kind: Name,
}

/// Charges that one metric series adds up. The model is empty when the event named none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelKey {
    /// The service's metric label.
    pub service: Name,
    /// The model's metric label.
    pub model: Box<str>,
}

impl ModelKey {
    /// Where everything beyond a bound is added up.
    pub fn other() -> Self {
        Self { service: Name::other(), model: OTHER_LABEL.into() }
    }
}

impl Pair {
    /// Where everything beyond a bound is added up.
    pub fn other() -> Self {
        Self { service: Name::other(), operation: Name::other() }
    }
}

impl Sums {
    /// One entry.
    pub fn of(event: &CostEvent, entry: &Entry) -> Self {
        let is_charge = match entry {
            Entry::First => event.kind == Kind::Charge,
            // The pair of moves cancels out, and counters must not see one half of it.
            Entry::Move { .. } => return Self { entries: 1, ..Self::default() },
            Entry::Adjustment(_) => event.amount >= Usd::ZERO,
        };
        let (charges, credits) = if is_charge { (event.amount, Usd::ZERO) } else { (Usd::ZERO, event.amount) };
        Self { charges, credits, entries: 1 }
    }

    /// What an entry adds to the charges of its model; `None` of one that is no charge at all.
    pub fn charge_of(event: &CostEvent, entry: &Entry) -> Option<Usd> {
        let charges = Self::of(event, entry).charges;
        let is_charge = charges > Usd::ZERO || (*entry == Entry::First && event.kind == Kind::Charge);
        is_charge.then_some(charges)
    }

    /// The cost: charges less credits.
    pub fn net(&self) -> Usd {
        self.charges + self.credits
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.charges += other.charges;
        self.credits += other.credits;
        self.entries += other.entries;
    }
}
