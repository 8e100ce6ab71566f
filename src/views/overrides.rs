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
