//! Sums by name, as the cost resources show them.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Serialize, Serializer};

use crate::domain::{Name, OTHER_LABEL, Pair, Usd};
use crate::views::{DayCosts, RESIDENT_PAIRS_MAX};

/// Names that one answer tells apart, over all its days; cost under further ones is added up under `other`. As many as views
/// keep in memory.
const KEYS_MAX: usize = RESIDENT_PAIRS_MAX;

/// Sums by something. Written as a JSON object, nested for operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Groups {
    /// By service, worker, batch, lead or model.
    Flat(BTreeMap<String, Usd>),
    /// By service, then operation. One map, since a map for each service would take a hundred times its one entry.
    Nested(BTreeMap<Pair, Usd>),
}

/// The operations of one service.
struct Operations<'a>(&'a [(&'a Pair, &'a Usd)]);

/// What rollups can be grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Grouping {
    /// Name of the service.
    Service,
    /// Name of the service, then of the operation.
    Operation,
}

/// Groups under construction, by day.
#[derive(Debug)]
pub(super) struct GroupsByDay {
    grouping: Grouping,
    /// Only this service.
    service: Option<Name>,
    days: BTreeMap<Date, Groups>,
    keys_left: usize,
}

// === impl Groups ===

impl Groups {
    fn empty(grouping: Grouping) -> Self {
        match grouping {
            Grouping::Service => Self::Flat(BTreeMap::new()),
            Grouping::Operation => Self::Nested(BTreeMap::new()),
        }
    }

    /// Adds cost, under `other` when the name is new and there is no room; says whether a name was added.
    fn add(&mut self, pair: &Pair, net: Usd, has_room: bool) -> bool {
        match self {
            Self::Flat(sums) => {
                if let Some(sum) = sums.get_mut(pair.service.as_str()) {
                    *sum += net;
                    return false;
                }
                let name = if has_room { pair.service.as_str() } else { OTHER_LABEL };
                *sums.entry(name.to_owned()).or_default() += net;
            }
            Self::Nested(sums) => {
                if let Some(sum) = sums.get_mut(pair) {
                    *sum += net;
                    return false;
                }
                let pair = if has_room { pair.clone() } else { Pair::other() };
                *sums.entry(pair).or_default() += net;
            }
        }
        true
    }

    /// Of everything in it.
    pub fn total(&self) -> Usd {
        match self {
            Self::Flat(sums) => sums.values().copied().sum(),
            Self::Nested(sums) => sums.values().copied().sum(),
        }
    }
}

impl Serialize for Groups {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Flat(sums) => sums.serialize(serializer),
            Self::Nested(sums) => {
                let pairs: Vec<_> = sums.iter().collect();
                let services = pairs.chunk_by(|(left, _), (right, _)| left.service == right.service);
                serializer.collect_map(services.map(|pairs| (&pairs[0].0.service, Operations(pairs))))
            }
        }
    }
}

impl Serialize for Operations<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(pair, net)| (&pair.operation, net)))
    }
}

impl Default for Groups {
    fn default() -> Self {
        Self::Flat(BTreeMap::new())
    }
}

// === impl GroupsByDay ===

impl GroupsByDay {
    /// Nothing yet.
    pub fn new(grouping: Grouping, service: Option<Name>) -> Self {
        Self { grouping, service, days: BTreeMap::new(), keys_left: KEYS_MAX }
    }

    /// Adds the cost of a whole day, if it has any.
    pub fn add_day(&mut self, group: Date, costs: Option<&DayCosts>) {
        for (pair, sums) in costs.into_iter().flat_map(DayCosts::pairs) {
            self.add(group, pair, sums.net());
        }
    }

    /// Adds cost.
    pub fn add(&mut self, group: Date, pair: &Pair, net: Usd) {
        if self.service.as_ref().is_some_and(|service| *service != pair.service) {
            return;
        }
        let groups = self.days.entry(group).or_insert_with(|| Groups::empty(self.grouping));
        let is_new = groups.add(pair, net, self.keys_left > 0);
        self.keys_left -= usize::from(is_new && self.keys_left > 0);
    }

    /// What was added, by day.
    pub fn into_days(self) -> BTreeMap<Date, Groups> {
        self.days
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn pair(service: &str, operation: &str) -> Pair {
        Pair { service: Name::new(service).unwrap(), operation: Name::new(operation).unwrap() }
    }

    fn shown(groups: GroupsByDay) -> String {
        serde_json::to_string(&groups.into_days().into_values().collect::<Vec<_>>()).unwrap()
    }

    fn filled(grouping: Grouping, service: Option<&str>, keys_left: usize) -> GroupsByDay {
        let mut groups = GroupsByDay::new(grouping, service.map(|name| Name::new(name).unwrap()));
        groups.keys_left = keys_left;
        for (service, operation, dollars) in [("b", "x", 1), ("a", "x", 2), ("a", "y", 3), ("c", "z", -4), ("b", "x", -1)] {
            groups.add(date(2026, 11, 22), &pair(service, operation), Usd::from_dollars(dollars));
        }
        groups
    }

    #[test]
    fn sums_are_grouped_and_nothing_is_lost() {
        assert_eq!(shown(filled(Grouping::Service, None, 100)), r#"[{"a":5,"b":0,"c":-4}]"#);
        assert_eq!(shown(filled(Grouping::Operation, None, 100)), r#"[{"a":{"x":2,"y":3},"b":{"x":0},"c":{"z":-4}}]"#);
        assert_eq!(shown(filled(Grouping::Service, Some("a"), 100)), r#"[{"a":5}]"#);
        assert_eq!(shown(filled(Grouping::Service, Some("d"), 100)), "[]");
    }

    #[test]
    fn names_beyond_the_bound_are_added_up_under_other() {
        assert_eq!(shown(filled(Grouping::Service, None, 1)), r#"[{"b":0,"other":1}]"#);
        assert_eq!(shown(filled(Grouping::Operation, None, 2)), r#"[{"a":{"x":2},"b":{"x":0},"other":{"other":-1}}]"#);
        let total = |groups: GroupsByDay| groups.into_days().into_values().map(|groups| groups.total()).sum::<Usd>();
        assert_eq!(total(filled(Grouping::Operation, None, 0)), Usd::from_dollars(1));
    }
}
