//! Very many groups of what memory has, in the order of their names and without a map of them.
//!
//! *Invariants.* They are those that [`ask`](super::ask) finds: days are kept in that order, so that they only need to be merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::plan::{Plan, Source};
use super::reads::{ReadError, Reads};
use super::rollups::NAMES_MAX;
use crate::domain::{CostQuestion, Dimension, Name, Pair, Sums, Usd};
use crate::views::{DayCosts, Published};

/// Whether a question is answered so: by service or by service and operation, of all days together, and with so many names that it
/// matters.
pub fn is_in_order(question: &CostQuestion, plan: Plan, published: &Published) -> bool {
    let days = question.days().filter_map(|day| published.views.day(day));
    matches!(question.by[..], [Dimension::Service] | [Dimension::Service, Dimension::Operation])
        && question.filters.is_empty()
        && !question.by_day
        && plan.source == Source::Memory
        && !plan.is_quick
        && days.map(DayCosts::pairs_len).sum::<usize>() <= NAMES_MAX
}

/// Hands over each service, or each of its operations, with its sum, to what it then returns.
///
/// # Errors
/// It panicked.
pub async fn in_order<W: Send + 'static>(
    reads: &Reads,
    published: Arc<Published>,
    question: CostQuestion,
    mut to: W,
    take: fn(&mut W, &Name, Option<&Name>, Usd),
) -> Result<W, ReadError> {
    let merge_all = move || {
        let days = question.days().filter_map(|day| published.views.day(day));
        if question.by.len() == 1 {
            merge(days.map(DayCosts::services).collect(), |service, sum| take(&mut to, service, None, sum));
        } else {
            let of_pair = |pair: &Pair, sum| take(&mut to, &pair.service, Some(&pair.operation), sum);
            merge(days.map(DayCosts::pairs).collect(), of_pair);
        }
        to
    };
    reads.look_up(move |_, _| Ok(merge_all())).await
}

/// Adds up what several have under the same key. Each has its keys in order, and each once.
fn merge<'v, K: Ord + 'v>(mut rest: Vec<impl Iterator<Item = (&'v K, &'v Sums)>>, mut take: impl FnMut(&K, Usd)) {
    // The least key is on top.
    let mut heads = BinaryHeap::with_capacity(rest.len());
    let mut sums: Vec<Usd> = vec![Usd::ZERO; rest.len()];
    let mut advance = |place: usize, heads: &mut BinaryHeap<_>, sums: &mut Vec<Usd>| {
        if let Some((key, found)) = rest[place].next() {
            sums[place] = found.net();
            heads.push(Reverse((key, place)));
        }
    };
    (0..sums.len()).for_each(|place| advance(place, &mut heads, &mut sums));
    while let Some(Reverse((key, place))) = heads.pop() {
        let mut sum = sums[place];
        advance(place, &mut heads, &mut sums);
        while let Some(Reverse((_, place))) = heads.peek().copied().filter(|Reverse((other, _))| *other == key) {
            heads.pop();
            sum += sums[place];
            advance(place, &mut heads, &mut sums);
        }
        take(key, sum);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::civil::{Date, date};
    use proptest::prelude::*;

    use super::super::costs::ask;
    use super::super::reads::READS_WAITING_MAX;
    use super::*;
    use crate::budget::Policy;
    use crate::domain::{BudgetZone, CostEvent, GroupKey};
    use crate::ledger::Reader;
    use crate::views::{Board, SeriesLimits, Views};

    #[tokio::test]
    async fn many_groups_are_those_of_the_map() {
        let (first, last) = (date(2026, 11, 1), date(2026, 11, 3));
        let mut views = Views::new(SeriesLimits::default(), first);
        for number in 0..9_000_i64 {
            let name = |text: String| Name::new(&text).unwrap();
            // Some names begin as others do, and some occur in several days.
            let pair = Pair { service: name(format!("s {}", number % 700)), operation: name(format!("o{}", number % 11)) };
            let day: Date = date(2026, 11, 1 + (number % 3) as i8);
            views.load_pair(day, pair, Sums { charges: Usd::from_dollars(number), ..Sums::default() });
        }
        let (policy, now) = (Arc::new(Policy::example(BudgetZone::UTC, 50)), CostEvent::example().time);
        let published = Arc::new(Published::new(views, policy, Vec::new(), now));
        let board = Arc::new(Board::new(Published::clone(&published)));
        // Nothing is read from it.
        let reads = Reads::new(Reader::new("none".into(), BudgetZone::UTC), board, READS_WAITING_MAX);
        for by in [vec![Dimension::Service], vec![Dimension::Service, Dimension::Operation]] {
            let question = CostQuestion { by, filters: vec![], first, last, by_day: false };
            let plan = Plan::of(&question, &published.views);
            assert!(is_in_order(&question, plan, &published));
            let take = |found: &mut Vec<_>, service: &Name, operation: Option<&Name>, sum| {
                found.push((GroupKey::of([service].into_iter().chain(operation).map(Name::as_str)), sum));
            };
            let found = in_order(&reads, Arc::clone(&published), question.clone(), Vec::new(), take).await.unwrap();
            let expected = ask(&reads, Arc::clone(&published), question, plan).await.unwrap().remove(&first).unwrap();
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        }
    }

    proptest! {
        #[test]
        fn what_is_merged_is_what_a_map_adds_up(
            maps in prop::collection::vec(prop::collection::btree_map(0..40_u8, -9..9_i64, 0..30), 0..6),
        ) {
            let sums = |map: &BTreeMap<u8, i64>| -> BTreeMap<u8, Sums> {
                map.iter().map(|(key, net)| (*key, Sums { charges: Usd::from_dollars(*net), ..Sums::default() })).collect()
            };
            let maps: Vec<BTreeMap<u8, Sums>> = maps.iter().map(sums).collect();
            let mut expected: BTreeMap<u8, Usd> = BTreeMap::new();
            for (key, sums) in maps.iter().flatten() {
                *expected.entry(*key).or_default() += sums.net();
            }
            let mut found = Vec::new();
            merge(maps.iter().map(BTreeMap::iter).collect(), |key, sum| found.push((*key, sum)));
            prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
