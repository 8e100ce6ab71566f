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
    /// A model of a service with this metric label. What belongs to a service without a label of its own is added up with all others.
    pub fn of(service_label: &Name, model: &str) -> Self {
        if service_label.as_str() == OTHER_LABEL {
            return Self::other();
        }
        Self { service: service_label.clone(), model: model.into() }
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Adjustment;

    fn sums(charges: i64, credits: i64, entries: u64) -> Sums {
        Sums { charges: Usd::from_dollars(charges), credits: Usd::from_dollars(credits), entries }
    }

    #[test]
    fn an_entry_is_a_charge_or_a_credit_and_half_a_move_is_neither() {
        let adjustment = |standing: i64| {
            let standing = Usd::from_dollars(standing);
            Entry::Adjustment(Box::new(Adjustment { first: 1, standing, usage_added: vec![], usage_removed: vec![] }))
        };
        let moved = Entry::Move { first: 1, usage_removed: Box::default() };
        for (kind, dollars, entry, expected, charge) in [
            (Kind::Charge, 2, Entry::First, sums(2, 0, 1), Some(2)),
            (Kind::Charge, 0, Entry::First, sums(0, 0, 1), Some(0)),
            (Kind::Credit, -2, Entry::First, sums(0, -2, 1), None),
            (Kind::Credit, 0, Entry::First, sums(0, 0, 1), None),
            (Kind::Charge, 2, moved.clone(), sums(0, 0, 1), None),
            (Kind::Charge, -2, moved, sums(0, 0, 1), None),
            (Kind::Charge, 3, adjustment(5), sums(3, 0, 1), Some(3)),
            (Kind::Credit, 3, adjustment(-5), sums(3, 0, 1), Some(3)),
            (Kind::Charge, -3, adjustment(5), sums(0, -3, 1), None),
            (Kind::Charge, 0, adjustment(5), sums(0, 0, 1), None),
        ] {
            let event = CostEvent { kind, amount: Usd::from_dollars(dollars), ..CostEvent::example() };
            assert_eq!(Sums::of(&event, &entry), expected, "{kind:?} {dollars} {entry:?}");
            assert_eq!(Sums::charge_of(&event, &entry), charge.map(Usd::from_dollars), "{kind:?} {dollars} {entry:?}");
        }
    }

    #[test]
    fn sums_add_up_part_by_part_and_credits_lessen_the_cost() {
        let mut sum = sums(5, -1, 2);
        sum += sums(3, -2, 4);
        assert_eq!((sum, sum.net()), (sums(8, -3, 6), Usd::from_dollars(5)));
        assert_eq!((Pair::other().service.as_str(), Pair::other().operation.as_str()), ("other", "other"));
        assert_eq!((ModelKey::other().service.as_str(), &*ModelKey::other().model), ("other", "other"));
    }
}
