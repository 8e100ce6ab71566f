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
