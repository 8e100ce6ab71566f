//! What differs between two states of the views, found in what they do not share.

use imbl::ordmap::DiffItem;
use jiff::civil::Date;

use super::{DayCosts, Views};
use crate::domain::{Pair, Usd};

/// How the cost of days differs from what it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CostChanges {
    /// What is another sum by now, and how much it is.
    pub sums: Vec<(Date, Pair, Usd)>,
    /// Days that have left memory: what they cost by now, the ledger says.
    pub left: Vec<Date>,
}

impl Views {
    /// How the cost of days differs from that of an earlier state. Takes time by the differences, not by what there is.
    pub fn changes_since(&self, earlier: &Self) -> CostChanges {
        let mut changes = CostChanges::default();
        for day in earlier.days.diff(&self.days) {
            match day {
                DiffItem::Add(day, costs) => changes.add(*day, &DayCosts::default(), costs),
                DiffItem::Update { old: (_, old), new: (day, new) } => changes.add(*day, old, new),
                DiffItem::Remove(day, _) => changes.left.push(*day),
            }
        }
        changes
    }

    /// The days whose cost is in memory.
    pub fn days_in_memory(&self) -> impl Iterator<Item = Date> + '_ {
        self.days.keys().copied()
    }
}

impl CostChanges {
    fn add(&mut self, day: Date, old: &DayCosts, new: &DayCosts) {
        for (pair, sums) in new.pairs_since(old) {
            self.sums.push((day, pair.clone(), sums.net()));
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::{Name, Sums};
    use crate::views::SeriesLimits;

    #[test]
    fn what_differs_is_found_and_nothing_else() {
        let pair = |operation: &str| Pair { service: Name::new("a").unwrap(), operation: Name::new(operation).unwrap() };
        let sums = |dollars| Sums { charges: Usd::from_dollars(dollars), credits: Usd::ZERO, entries: 1 };
        let mut views = Views::new(SeriesLimits::default(), date(2026, 11, 1));
        for day in 1..=28 {
            (0..50).for_each(|at| views.load_pair(date(2026, 11, day), pair(&format!("op{at}")), sums(1)));
        }
        let earlier = views.clone();
        assert_eq!(views.changes_since(&earlier), CostChanges::default());
        views.load_pair(date(2026, 11, 7), pair("op3"), sums(2));
        views.load_pair(date(2026, 11, 7), pair("new"), sums(5));
        views.load_pair(date(2026, 12, 1), pair("op3"), sums(4));
        views.retire(date(2026, 11, 2), date(2026, 12, 1));
        let changes = views.changes_since(&earlier);
        let usd = Usd::from_dollars;
        let expected = [
            (date(2026, 11, 7), pair("new"), usd(5)),
            (date(2026, 11, 7), pair("op3"), usd(3)),
            (date(2026, 12, 1), pair("op3"), usd(4)),
        ];
        assert_eq!((changes.sums.as_slice(), changes.left), (expected.as_slice(), vec![date(2026, 11, 1)]));
    }
}
