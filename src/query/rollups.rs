//! Groups of what the rollups tell apart: services and their operations.

use jiff::civil::Date;

use crate::domain::{CostQuestion, Dimension, Filter, GroupKey, GroupsByDay, OTHER_LABEL, Pair, Usd};
use crate::views::{DayCosts, RESIDENT_PAIRS_MAX};

/// Names that one answer tells apart, over all its days; cost under further ones is added up under `other`. As many as views
/// keep in memory.
pub(super) const NAMES_MAX: usize = RESIDENT_PAIRS_MAX;

/// Groups under construction, by day.
#[derive(Debug)]
pub struct RollupGroups<'q> {
    question: &'q CostQuestion,
    days: GroupsByDay,
    names_left: usize,
    /// The key of what is added, made anew each time: most keys are known already.
    key: String,
}

impl<'q> RollupGroups<'q> {
    /// Nothing yet.
    pub fn new(question: &'q CostQuestion) -> Self {
        Self { question, days: GroupsByDay::new(), names_left: NAMES_MAX, key: String::new() }
    }

    /// Adds the cost of a whole day, if it has any.
    pub fn add_day(&mut self, day: Date, costs: Option<&DayCosts>) {
        for (pair, sums) in costs.into_iter().flat_map(DayCosts::pairs) {
            self.add(day, pair, sums.net());
        }
    }

    /// Adds cost, under `other` when its name is new and there is no room.
    pub fn add(&mut self, day: Date, pair: &Pair, net: Usd) {
        let passes = |filter: &Filter| *filter.value == *value(pair, &filter.dimension);
        if !self.question.filters.iter().all(passes) {
            return;
        }
        let groups = self.days.entry(self.question.group(day)).or_default();
        self.key.clear();
        GroupKey::join(&mut self.key, self.question.by.iter().map(|dimension| value(pair, dimension)));
        if let Some(sum) = groups.get_mut(self.key.as_str()) {
            *sum += net;
            return;
        }
        let key = if self.names_left > 0 {
            self.names_left -= 1;
            GroupKey::from_joined(self.key.as_str())
        } else {
            GroupKey::of(self.question.by.iter().map(|_| OTHER_LABEL))
        };
        *groups.entry(key).or_default() += net;
    }

    /// What was added, by day.
    pub fn into_days(self) -> GroupsByDay {
        self.days
    }
}

/// What a rollup knows of a dimension; nothing of those that only events have.
fn value<'p>(pair: &'p Pair, dimension: &Dimension) -> &'p str {
    match dimension {
        Dimension::Service => pair.service.as_str(),
        Dimension::Operation => pair.operation.as_str(),
        Dimension::Worker | Dimension::Batch | Dimension::Lead | Dimension::Model | Dimension::Attribute(_) => "",
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::Name;

    fn pair(service: &str, operation: &str) -> Pair {
        Pair { service: Name::new(service).unwrap(), operation: Name::new(operation).unwrap() }
    }

    /// Keys with `/` between their values.
    fn filled(by: &[Dimension], service: Option<&str>, names_left: usize) -> Vec<(String, i128)> {
        let day = date(2026, 11, 22);
        let of_service = service.map(|value| Filter { dimension: Dimension::Service, value: value.into() });
        let filters = of_service.into_iter().collect();
        let question = CostQuestion { by: by.to_vec(), filters, first: day, last: day, by_day: true };
        let mut groups = RollupGroups { names_left, ..RollupGroups::new(&question) };
        for (service, operation, dollars) in [("b", "x", 1), ("a", "x", 2), ("a", "y", 3), ("c", "z", -4), ("b", "x", -1)] {
            groups.add(day, &pair(service, operation), Usd::from_dollars(dollars));
        }
        let groups = groups.into_days().into_values().flatten();
        groups.map(|(key, net)| (key.values().collect::<Vec<_>>().join("/"), net.pico() / 1_000_000_000_000)).collect()
    }

    #[track_caller]
    fn assert_groups(found: Vec<(String, i128)>, expected: &[(&str, i128)]) {
        let found: Vec<(&str, i128)> = found.iter().map(|(key, dollars)| (key.as_str(), *dollars)).collect();
        assert_eq!(found, expected);
    }

    const SERVICE: &[Dimension] = &[Dimension::Service];
    const OPERATION: &[Dimension] = &[Dimension::Service, Dimension::Operation];

    #[test]
    fn sums_are_grouped_and_nothing_is_lost() {
        assert_groups(filled(SERVICE, None, 100), &[("a", 5), ("b", 0), ("c", -4)]);
        assert_groups(filled(OPERATION, None, 100), &[("a/x", 2), ("a/y", 3), ("b/x", 0), ("c/z", -4)]);
        assert_groups(filled(SERVICE, Some("a"), 100), &[("a", 5)]);
        assert_groups(filled(SERVICE, Some("d"), 100), &[]);
    }

    #[test]
    fn names_beyond_the_bound_are_added_up_under_other() {
        assert_groups(filled(SERVICE, None, 1), &[("b", 0), ("other", 1)]);
        assert_groups(filled(OPERATION, None, 2), &[("a/x", 2), ("b/x", 0), ("other/other", -1)]);
        for (by, names_left) in [(SERVICE, 0), (SERVICE, 2), (OPERATION, 0), (OPERATION, 3)] {
            let total: i128 = filled(by, None, names_left).into_iter().map(|(_, dollars)| dollars).sum();
            assert_eq!(total, 1);
        }
    }
}
