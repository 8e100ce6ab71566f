//! The limits that somebody has set in place of those of the settings.
//!
//! *Limits.* The newest line of each budget's history, as many as there ever were names of budgets.

use std::sync::Arc;

use imbl::OrdMap;
use jiff::Timestamp;

use crate::budget::{Budget, Limit, Policy};
use crate::domain::{LimitOverride, Quantity, Span, UsageCount, Usd};

/// The newest line of each budget's history, by the budget's name.
#[derive(Clone, Debug, Default)]
pub struct Overrides(OrdMap<Box<str>, Arc<LimitOverride>>);

impl Overrides {
    /// Takes a line, in place of the one before.
    pub fn put(&mut self, line: LimitOverride) {
        self.0.insert(line.budget.clone(), Arc::new(line));
    }

    /// The newest line of a budget's history, whether or not it still holds.
    pub fn newest(&self, budget: &str) -> Option<&LimitOverride> {
        self.0.get(budget).map(Arc::as_ref)
    }

    /// What is said of a budget's limit at an instant, if anything is.
    pub fn of(&self, budget: &str, now: Timestamp) -> Option<&LimitOverride> {
        self.0.get(budget).map(Arc::as_ref).filter(|line| line.holds_at(now))
    }

    /// The line that sets the limit of a budget as it stands in the settings, at an instant, if one does.
    pub fn sets(&self, configured: &Budget, now: Timestamp) -> Option<&LimitOverride> {
        self.of(&configured.name, now).filter(|line| limit_of(line, &configured.limit).is_some())
    }

    /// The policy with the limits that hold at an instant, and how long it is the same: from one lapse to the next. The clock may be set
    /// back to before one.
    pub fn in_force(&self, configured: &Arc<Policy>, now: Timestamp) -> (Arc<Policy>, Span) {
        let mut same = Span::EVER;
        if self.0.is_empty() {
            return (Arc::clone(configured), same);
        }
        for lapse in configured.budgets.iter().filter_map(|budget| self.0.get(&*budget.name)?.lapses_at()) {
            if lapse <= now {
                same.start = same.start.max(lapse);
            } else {
                same.end = same.end.min(lapse);
            }
        }
        let overridden = |budget: &Budget| self.of(&budget.name, now).and_then(|line| limit_of(line, &budget.limit));
        if !configured.budgets.iter().any(|budget| overridden(budget).is_some()) {
            return (Arc::clone(configured), same);
        }
        let mut policy = Policy::clone(configured);
        for budget in &mut policy.budgets {
            if let Some(limit) = overridden(budget) {
                budget.limit = limit;
            }
        }
        (Arc::new(policy), same)
    }
}

/// The limit that a line sets, if it is one in the units of the budget: the settings may have changed these since.
fn limit_of(line: &LimitOverride, configured: &Limit) -> Option<Limit> {
    let amounts = line.limit.as_ref()?;
    match configured {
        Limit::Usd(_) => match amounts.as_slice() {
            [(unit, pico)] if **unit == *crate::budget::Unit::Usd.as_str() => Some(Limit::Usd(Usd::from_pico(*pico))),
            _ => None,
        },
        Limit::Usage(counts) => {
            let limit = |count: &UsageCount| {
                let (_, micros) = amounts.iter().find(|(unit, _)| **unit == *count.kind.as_str())?;
                Some(UsageCount { kind: count.kind.clone(), count: Quantity::from_micros(u128::try_from(*micros).ok()?) })
            };
            let limits: Option<Vec<_>> = counts.iter().map(limit).collect();
            limits.filter(|limits| limits.len() == amounts.len()).map(Limit::Usage)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::BudgetZone;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn line(budget: &str, limit: Option<&[(&str, i128)]>, expires_at: Option<i64>) -> LimitOverride {
        LimitOverride {
            budget: budget.into(),
            limit: limit.map(|amounts| amounts.iter().map(|(unit, parts)| ((*unit).into(), *parts)).collect()),
            reason: "why".to_owned(),
            actor: String::new(),
            timestamp: at(0),
            expires_at: expires_at.map(at),
            token: None,
        }
    }

    fn overrides(lines: impl IntoIterator<Item = LimitOverride>) -> Overrides {
        let mut overrides = Overrides::default();
        lines.into_iter().for_each(|line| overrides.put(line));
        overrides
    }

    #[test]
    fn a_limit_holds_from_one_lapse_to_the_next() {
        let configured = Arc::new(Policy::example(BudgetZone::UTC, 10));
        let overrides =
            overrides([line("daily", Some(&[("USD", 7)]), Some(100)), line("monthly", Some(&[("USD", 9)]), Some(200))]);
        let (ten, thousand) = (Usd::from_dollars(10).pico(), Usd::from_dollars(1000).pico());
        for (now, limits, start, end) in [
            (99, [7, 9], None, Some(100)),
            (100, [ten, 9], Some(100), Some(200)),
            (199, [ten, 9], Some(100), Some(200)),
            (200, [ten, thousand], Some(200), None),
        ] {
            let (policy, same) = overrides.in_force(&configured, at(now));
            let found: Vec<_> = policy.budgets.iter().map(|budget| budget.limit.usd().unwrap().pico()).collect();
            assert_eq!(found, limits, "{now}");
            assert_eq!((same.starts_at(), same.ends_at()), (start.map(at), end.map(at)), "{now}");
        }
        let (policy, same) = Overrides::default().in_force(&configured, at(0));
        assert!(Arc::ptr_eq(&policy, &configured) && same == Span::EVER);
    }

    #[test]
    fn a_line_in_other_units_than_the_budget_has_by_now_sets_nothing() {
        let usage = |counts: &[(&str, u64)]| Limit::Usage(UsageCount::list(counts));
        let money = |pico| Limit::Usd(Usd::from_pico(pico));
        for (amounts, configured, limit) in [
            (&[("USD", 7)][..], money(1), Some(money(7))),
            (&[("tokens", 7)], money(1), None),
            (&[("USD", 7), ("tokens", 7)], money(1), None),
            (&[("tokens", 7_000_000)], usage(&[("tokens", 1)]), Some(usage(&[("tokens", 7)]))),
            (&[("USD", 7)], usage(&[("tokens", 1)]), None),
            (&[("images", 2_000_000), ("tokens", 7_000_000)], usage(&[("tokens", 1)]), None),
            (
                &[("images", 2_000_000), ("tokens", 7_000_000)],
                usage(&[("images", 1), ("tokens", 1)]),
                Some(usage(&[("images", 2), ("tokens", 7)])),
            ),
            (&[("tokens", 7_000_000)], usage(&[("images", 1), ("tokens", 1)]), None),
            (&[("tokens", -1)], usage(&[("tokens", 1)]), None),
        ] {
            assert_eq!(limit_of(&line("x", Some(amounts), None), &configured), limit, "{amounts:?} {configured}");
        }
        assert_eq!(limit_of(&line("x", None, None), &money(1)), None);
    }

    #[test]
    fn the_newest_line_of_a_budget_counts() {
        let newest = line("daily", Some(&[("USD", 8)]), Some(100));
        let overrides = overrides([line("daily", Some(&[("USD", 7)]), None), newest.clone(), line("monthly", None, None)]);
        assert_eq!((overrides.newest("daily"), overrides.newest("other")), (Some(&newest), None));
        assert_eq!(overrides.newest("monthly"), Some(&line("monthly", None, None)));
        assert_eq!((overrides.of("daily", at(99)), overrides.of("daily", at(100))), (Some(&newest), None));
        assert_eq!(overrides.of("monthly", at(0)), None, "it lifts what was set");
        let mut budget = Policy::example(BudgetZone::UTC, 10).budgets[0].clone();
        assert_eq!((overrides.sets(&budget, at(99)), overrides.sets(&budget, at(100))), (Some(&newest), None));
        budget.limit = Limit::Usage(UsageCount::list(&[("tokens", 1)]));
        assert_eq!(overrides.sets(&budget, at(99)), None);
    }
}
