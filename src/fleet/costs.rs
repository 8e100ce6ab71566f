//! What the fleet spent, as its database said.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::postgres::CostRow;
use crate::domain::{CostQuestion, GroupsByDay, Pair, Usd};
use crate::query::RollupGroups;

/// Of which days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CostsRead {
    pub first: Date,
    /// Included.
    pub last: Date,
}

/// What was spent on some days, by day, service and operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FleetCosts(BTreeMap<(Date, Pair), Usd>);

impl CostsRead {
    /// Whether these days are among those of `other`.
    pub fn is_within(&self, other: &Self) -> bool {
        other.first <= self.first && self.last <= other.last
    }
}

impl FleetCosts {
    pub fn of(rows: Vec<CostRow>) -> Self {
        Self(rows.into_iter().map(|CostRow { day, pair, total }| ((day, pair), total)).collect())
    }

    /// Grouped as asked for, of the days that are asked for.
    pub fn groups(&self, question: &CostQuestion) -> GroupsByDay {
        let mut groups = RollupGroups::new(question);
        let asked = self.0.iter().filter(|((day, _), _)| (question.first..=question.last).contains(day));
        asked.for_each(|((day, pair), total)| groups.add(*day, pair, *total));
        groups.into_days()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::{Dimension, GroupKey, Name};

    #[test]
    fn days_are_within_others_to_their_first_and_last() {
        let days = |first, last| CostsRead { first: date(2026, 11, first), last: date(2026, 11, last) };
        for (one, other, is_within) in [
            (days(2, 4), days(2, 4), true),
            (days(3, 3), days(2, 4), true),
            (days(1, 4), days(2, 4), false),
            (days(2, 5), days(2, 4), false),
        ] {
            assert_eq!(one.is_within(&other), is_within, "{one:?} {other:?}");
        }
    }

    #[test]
    fn cost_is_grouped_of_the_days_that_are_asked_for() {
        let pair = |operation: &str| Pair { service: Name::new("a").unwrap(), operation: Name::new(operation).unwrap() };
        let row =
            |day, operation, pico| CostRow { day: date(2026, 11, day), pair: pair(operation), total: Usd::from_pico(pico) };
        let costs =
            FleetCosts::of(vec![row(1, "x", 1), row(2, "x", 10), row(2, "y", 100), row(3, "x", 1_000), row(4, "x", 9)]);
        let question = CostQuestion {
            by: vec![Dimension::Service],
            filters: vec![],
            first: date(2026, 11, 2),
            last: date(2026, 11, 3),
            by_day: false,
        };
        let groups = costs.groups(&question);
        assert_eq!(groups.into_values().collect::<Vec<_>>(), [[(GroupKey::of(["a"]), Usd::from_pico(1_110))].into()]);
    }
}
