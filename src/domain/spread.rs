//! How cost spreads over those that it was for: leads, or batches.
//!
//! *Invariants.* Sums are exact. Only a mean, and a median between two sums, may need rounding: half to even at the twelfth decimal.

use super::Usd;

/// How some cost spreads over those that it was for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// How many they are: those that any event of the cost names, also where theirs adds up to 0.
    pub count: u64,
    /// What was for them.
    pub attributed: Usd,
    /// The rest.
    pub unattributed: Usd,
    /// What one cost on average; `None` when there is none.
    pub mean: Option<Usd>,
    /// What the one in the middle cost, or the mean of the two that are; `None` when there is none.
    pub median: Option<Usd>,
    /// What 95 % of them cost at most: the sum at the nearest rank. `None` when there is none.
    pub p95: Option<Usd>,
    /// The most expensive, each with its name; of equal ones, those whose names come first.
    pub top: Vec<(Box<str>, Usd)>,
}

impl Spread {
    /// Works out what follows from the sums of all of them, in any order.
    pub fn of(mut sums: Vec<Usd>, unattributed: Usd, top: Vec<(Box<str>, Usd)>) -> Self {
        sums.sort_unstable();
        let count = sums.len();
        let attributed: Usd = sums.iter().copied().sum();
        let at_rank = |rank: usize| sums.get(rank.checked_sub(1)?).copied();
        let middle = at_rank(count.div_ceil(2)).zip(at_rank(count / 2 + 1));
        Self {
            count: count as u64,
            attributed,
            unattributed,
            mean: (count > 0).then(|| attributed.divided_by(count as u64)),
            median: middle.map(|(lower, upper)| (lower + upper).divided_by(2)),
            p95: at_rank((count * 95).div_ceil(100)),
            top,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(pico: &[i128]) -> Spread {
        Spread::of(pico.iter().copied().map(Usd::from_pico).collect(), Usd::ZERO, vec![])
    }

    #[test]
    fn mean_median_and_95th_percentile_are_exact_or_rounded_half_to_even() {
        let pico = |usd: Option<Usd>| usd.map(Usd::pico);
        for (sums, mean, median, p95) in [
            (&[][..], None, None, None),
            (&[7], Some(7), Some(7), Some(7)),
            (&[3, 0], Some(2), Some(2), Some(3)),
            (&[0, 1], Some(0), Some(0), Some(1)),
            (&[-3, 0], Some(-2), Some(-2), Some(0)),
            (&[-1, 0], Some(0), Some(0), Some(0)),
            (&[5, 1, 9], Some(5), Some(5), Some(9)),
            (&[1, 1, 3], Some(2), Some(1), Some(3)),
            (
                &[i128::from(i64::MAX) * 4, 0],
                Some(i128::from(i64::MAX) * 2),
                Some(i128::from(i64::MAX) * 2),
                Some(i128::from(i64::MAX) * 4),
            ),
        ] {
            let found = spread(sums);
            assert_eq!((pico(found.mean), pico(found.median), pico(found.p95)), (mean, median, p95), "{sums:?}");
            assert_eq!((found.count, found.attributed.pico()), (sums.len() as u64, sums.iter().sum()));
        }
    }

    #[test]
    fn the_nearest_rank_is_the_first_that_covers_95_percent() {
        for (count, rank) in [(1, 1), (19, 19), (20, 19), (21, 20), (40, 38), (100, 95), (101, 96), (10_000, 9_500)] {
            let sums: Vec<i128> = (1..=count).rev().collect();
            assert_eq!(spread(&sums).p95, Some(Usd::from_pico(rank)), "{count}");
        }
    }
}
