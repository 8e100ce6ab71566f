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
