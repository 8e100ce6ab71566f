//! Which names cost most in some days, and what each of them cost day by day.

use std::collections::HashMap;

use jiff::civil::Date;

use crate::domain::{GroupKey, Groups, GroupsByDay, Usd};

/// One name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// Its key.
    pub key: GroupKey,
    /// What it cost.
    pub total: Usd,
    /// What it cost on each day.
    pub days: Vec<Usd>,
}

/// The names with the largest sums, and the sum of everything.
#[derive(Clone, Debug, Default)]
pub struct Ranking {
    /// Largest first; of equal ones by name.
    pub top: Vec<Ranked>,
    /// How many names there are.
    pub names: usize,
    /// The cost of each day.
    pub days: Vec<Usd>,
    /// The cost of all days.
    pub total: Usd,
}

impl Ranking {
    /// Ranks what an answer by day says of these days; at most so many names.
    pub fn of(answer: &GroupsByDay, days: &[Date], names_max: usize) -> Self {
        let none = Groups::new();
        let of_day: Vec<&Groups> = days.iter().map(|day| answer.get(day).unwrap_or(&none)).collect();
        let mut sums: HashMap<&GroupKey, Usd> = HashMap::new();
        for (key, amount) in of_day.iter().flat_map(|groups| groups.iter()) {
            *sums.entry(key).or_default() += *amount;
        }
        let mut ranked: Vec<(&GroupKey, Usd)> = sums.into_iter().collect();
        let names = ranked.len();
        ranked.sort_unstable_by(|(left, more), (right, less)| less.cmp(more).then_with(|| left.cmp(right)));
        ranked.truncate(names_max);
        let amount_on = |groups: &&Groups, key: &GroupKey| groups.get(key).copied().unwrap_or_default();
        let top = ranked.into_iter().map(|(key, total)| Ranked {
            key: key.clone(),
            total,
            days: of_day.iter().map(|groups| amount_on(groups, key)).collect(),
        });
        let top = top.collect();
        let days: Vec<Usd> = of_day.iter().map(|groups| groups.values().copied().sum()).collect();
        Self { top, names, total: days.iter().copied().sum(), days }
    }

    /// What is left when the first so many names are taken off: how many names that are, their sum and their days.
    pub fn rest(&self, shown: usize) -> (usize, Usd, Vec<Usd>) {
        let mut days = self.days.clone();
        let mut total = self.total;
        for ranked in self.top.iter().take(shown) {
            total -= ranked.total;
            days.iter_mut().zip(&ranked.days).for_each(|(day, amount)| *day -= *amount);
        }
        (self.names.saturating_sub(shown), total, days)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn usd(text: &str) -> Usd {
        text.parse().unwrap()
    }

    #[test]
    fn the_largest_come_first_and_nothing_is_lost() {
        let groups = |pairs: &[(&str, &str)]| -> Groups {
            pairs.iter().map(|(name, amount)| (GroupKey::of([*name]), usd(amount))).collect()
        };
        let days = [date(2026, 11, 1), date(2026, 11, 2), date(2026, 11, 3)];
        let answer = GroupsByDay::from([
            (days[0], groups(&[("a", "1"), ("b", "2"), ("refund", "-4")])),
            (days[2], groups(&[("a", "1"), ("c", "2"), ("d", "0.5")])),
        ]);
        let ranking = Ranking::of(&answer, &days, 3);
        let told: Vec<(&str, Usd)> = ranking.top.iter().map(|ranked| (ranked.key.as_joined(), ranked.total)).collect();
        assert_eq!(told, [("a", usd("2")), ("b", usd("2")), ("c", usd("2"))]);
        assert_eq!(ranking.top[0].days, [usd("1"), usd("0"), usd("1")]);
        assert_eq!((ranking.names, ranking.total), (5, usd("2.5")));
        assert_eq!(ranking.rest(3), (2, usd("-3.5"), vec![usd("-4"), usd("0"), usd("0.5")]));
        assert_eq!(ranking.rest(2), (3, usd("-1.5"), vec![usd("-4"), usd("0"), usd("2.5")]));
        let empty = Ranking::of(&GroupsByDay::new(), &days, 3);
        assert_eq!((empty.names, empty.total, empty.rest(3).0), (0, Usd::ZERO, 0));
    }
}
