//! The rollups of days against what their events add up to.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;

use super::super::rows::DayRow;
use crate::domain::{OTHER_LABEL, PAIRS_PER_DAY_MAX, Pair, Sums};

/// What the pairs of a day add up to.
pub(super) type PairSums = HashMap<Pair, Sums>;

/// The days of which is stored what was not counted.
pub(super) fn differing(stored: &BTreeMap<Date, (DayRow, PairSums)>, counted: &BTreeMap<Date, PairSums>) -> Vec<Date> {
    let is_same = |day: &Date| {
        let of_rollup = stored.get(day).map(|(_, pairs)| pairs);
        let is_full = of_rollup.is_some_and(|pairs| pairs.len() >= PAIRS_PER_DAY_MAX);
        match (of_rollup, counted.get(day)) {
            (Some(of_rollup), Some(counted)) if is_full => fold_others(of_rollup) == fold_others(counted),
            (of_rollup, counted) => of_rollup == counted,
        }
    };
    let days = stored.keys().chain(counted.keys().filter(|day| !stored.contains_key(*day)));
    days.filter(|day| !is_same(day)).copied().collect()
}

/// The pairs of a day that has no room for further names, with everything that was added up under an `other` as one: whether a
/// service had an `other` of its own depended on what was recorded before.
fn fold_others(pairs: &PairSums) -> PairSums {
    let mut folded = PairSums::new();
    for (pair, sums) in pairs {
        let is_other = pair.operation.as_str() == OTHER_LABEL;
        *folded.entry(if is_other { Pair::other() } else { pair.clone() }).or_default() += *sums;
    }
    folded
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::{Name, Usd};

    const DAY: Date = date(2026, 11, 22);

    fn pair(service: &str, operation: &str) -> Pair {
        Pair { service: Name::new(service).unwrap(), operation: Name::new(operation).unwrap() }
    }

    fn sums(dollars: i64) -> Sums {
        Sums { charges: Usd::from_dollars(dollars), credits: Usd::ZERO, entries: 1 }
    }

    fn days(day: Date, stored: &PairSums, counted_day: Date, counted: &PairSums) -> Vec<Date> {
        let stored = BTreeMap::from([(day, (DayRow::empty(day), stored.clone()))]);
        differing(&stored, &BTreeMap::from([(counted_day, counted.clone())]))
    }

    #[test]
    fn a_day_differs_in_whatever_pair_and_where_it_is_on_one_side_only() {
        let one = PairSums::from([(pair("a", "x"), sums(1)), (pair("b", "x"), sums(2))]);
        assert_eq!(days(DAY, &one, DAY, &one), []);
        for other in [
            PairSums::from([(pair("a", "x"), sums(1)), (pair("b", "x"), sums(3))]),
            PairSums::from([(pair("a", "x"), sums(1))]),
            PairSums::from([(pair("a", "x"), sums(2)), (pair("b", "x"), sums(1))]),
        ] {
            assert_eq!(days(DAY, &one, DAY, &other), [DAY]);
        }
        let next = DAY.tomorrow().unwrap();
        assert_eq!(days(DAY, &one, next, &one), [DAY, next]);
    }

    /// Whether a service had an `other` of its own on a day that is full depended on what was recorded before.
    #[test]
    fn on_a_full_day_all_others_are_one() {
        let full = |others: &[(Pair, i64)]| {
            let named = (0..PAIRS_PER_DAY_MAX - 2).map(|number| (pair("a", &format!("op-{number}")), sums(1)));
            named.chain(others.iter().map(|(pair, dollars)| (pair.clone(), sums(*dollars)))).collect::<PairSums>()
        };
        let stored = full(&[(pair("a", OTHER_LABEL), 5), (Pair::other(), 7)]);
        let mut counted = full(&[(Pair::other(), 12)]);
        counted.get_mut(&Pair::other()).unwrap().entries = 2;
        assert_eq!(days(DAY, &stored, DAY, &counted), []);
        assert_eq!(days(DAY, &stored, DAY, &full(&[(Pair::other(), 11)])), [DAY]);
        let few = PairSums::from([(pair("a", OTHER_LABEL), sums(5)), (Pair::other(), sums(7))]);
        let one = PairSums::from([(Pair::other(), counted[&Pair::other()])]);
        assert_eq!(days(DAY, &few, DAY, &one), [DAY], "there was room for their names");
    }
}
