//! How much of a budget is used: of each of its units, by one key, in one period.
//!
//! *Invariants.* Credits can bring a sum below zero, but never make more than the limit available.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use strum::IntoStaticStr;

use super::{Amounts, Budget, InUse, Limit, Measure, Unit};
use crate::domain::{Span, Threshold, UsageCount, Usd, nearest_f64_percent};

/// How much of a budget's units is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account(SmallVec<[Used; 1]>);

/// How much of one unit is used, in its smallest parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// The unit.
    pub unit: Unit,
    /// What may be spent in the period.
    pub limit: i128,
    /// What was recorded; below zero where credits prevail.
    pub spent: i128,
    /// What open reservations set aside.
    pub reserved: i128,
}

/// What is used of a budget by one key, in amounts alone. What is not said of a unit is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    /// What was recorded; below zero where credits prevail.
    pub spent: Amounts,
    /// What open reservations set aside.
    pub reserved: Amounts,
}

/// Where a budget stands, for one key, in its current period.
#[derive(Clone, Debug, Default)]
pub struct BudgetAccount {
    /// What is used.
    pub account: Account,
    /// The period.
    pub span: Span,
}

/// How serious it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum BudgetState {
    /// Below the alert threshold.
    Ok,
    /// At or above the lowest alert threshold.
    Warning,
    /// At or above the gate threshold.
    Critical,
    /// The whole limit is spent.
    Exhausted,
}

impl Used {
    /// What of the sum counts.
    pub fn counted(&self) -> i128 {
        self.spent.max(0)
    }

    /// What is left: the limit at most, below zero once it is passed.
    pub fn remaining(&self) -> i128 {
        self.limit - self.counted() - self.reserved
    }

    /// Whether so much of the limit was spent.
    pub fn has_reached(&self, share: Threshold) -> bool {
        share.reached(self.counted(), self.limit)
    }
}

impl Account {
    /// Puts together what is known: nothing spent or reserved where nothing is.
    pub fn new(limit: &Limit, spent: Option<&Amounts>, reserved: Option<&Amounts>) -> Self {
        let of = |amounts: Option<&Amounts>, at: usize| amounts.and_then(|amounts| amounts.get(at)).copied().unwrap_or(0);
        let units = limit.units().zip(limit.amounts()).enumerate();
        Self(
            units
                .map(|(at, (unit, limit))| Used { unit, limit, spent: of(spent, at), reserved: of(reserved, at) })
                .collect(),
        )
    }

    /// Each unit.
    pub fn units(&self) -> &[Used] {
        &self.0
    }

    /// A unit of which so much was spent.
    pub fn at_or_above(&self, share: Threshold) -> Option<&Used> {
        self.0.iter().find(|used| used.has_reached(share))
    }

    /// Spent ÷ limit × 100 of the unit that is used most: the float nearest to the exact share.
    pub fn utilization_percent(&self) -> f64 {
        self.0.iter().map(|used| nearest_f64_percent(used.counted(), used.limit)).fold(0.0, f64::max)
    }

    /// How serious it is.
    pub fn state(&self, budget: &Budget) -> BudgetState {
        // From the most serious down: a threshold may lie above the limit, and the limit itself always counts.
        let reached = |share| self.at_or_above(share).is_some();
        if reached(Threshold::FULL) {
            BudgetState::Exhausted
        } else if reached(budget.gate_at) {
            BudgetState::Critical
        } else if budget.warn_at.first().is_some_and(|lowest| reached(*lowest)) {
            BudgetState::Warning
        } else {
            BudgetState::Ok
        }
    }
}

impl Drawn {
    /// Adds what is used of a budget of money elsewhere.
    pub fn add(&mut self, elsewhere: &InUse) {
        for (amounts, more) in [(&mut self.spent, elsewhere.spent), (&mut self.reserved, elsewhere.held)] {
            match amounts.first_mut() {
                Some(amount) => *amount += more.pico(),
                None => amounts.push(more.pico()),
            }
        }
    }

    /// The same with the names of what is counted.
    pub fn account(&self, limit: &Limit) -> Account {
        Account::new(limit, Some(&self.spent), Some(&self.reserved))
    }
}

impl Limit {
    /// Of the first unit whose limit would be passed by what something costs and uses, once so much is spent and set aside: what is left. What is
    /// not said of a unit is nothing.
    pub fn passed_by(&self, spent: &[i128], reserved: &[i128], cost: Usd, usage: &[UsageCount]) -> Option<Measure> {
        let of = |amounts: &[i128], at: usize| amounts.get(at).copied().unwrap_or(0);
        let remaining = |at, limit: i128| limit - of(spent, at).max(0) - of(reserved, at);
        match self {
            Self::Usd(usd) => {
                let parts = remaining(0, usd.pico());
                (cost.pico() > parts).then_some(Measure { unit: Unit::Usd, parts })
            }
            Self::Usage(_) => {
                let wanted = self.measure(cost, usage);
                let mut units = self.units().zip(self.amounts()).zip(wanted).enumerate();
                units.find_map(|(at, ((unit, limit), wanted))| {
                    let parts = remaining(at, limit);
                    (wanted > parts).then_some(Measure { unit, parts })
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PeriodKind;

    #[test]
    fn what_is_left_is_the_limit_less_what_was_spent_and_is_held() {
        for (spent, reserved, counted, remaining) in [(3, 2, 3, 5), (-3, 2, 0, 8), (9, 4, 9, -3), (0, 0, 0, 10)] {
            let used = Used { unit: Unit::Usd, limit: 10, spent, reserved };
            assert_eq!((used.counted(), used.remaining()), (counted, remaining), "{used:?}");
        }
    }

    #[test]
    fn the_unit_that_is_used_most_says_how_full_a_budget_is() {
        let limit = Limit::Usage(UsageCount::list(&[("images", 10), ("tokens", 100)]));
        let percent = |spent: [i128; 2]| {
            let spent = Amounts::from_slice(&spent.map(|whole| whole * 1_000_000));
            Account::new(&limit, Some(&spent), None).utilization_percent()
        };
        assert_eq!([percent([5, 20]), percent([1, 20]), percent([-5, 0])], [50.0, 20.0, 0.0]);
    }

    #[test]
    fn what_a_fleet_uses_elsewhere_is_added_to_what_is_used_here() {
        let elsewhere = InUse { spent: Usd::from_pico(4), held: Usd::from_pico(-1) };
        let mut drawn = Drawn { spent: Amounts::from_slice(&[3]), reserved: Amounts::new() };
        drawn.add(&elsewhere);
        assert_eq!((drawn.spent.as_slice(), drawn.reserved.as_slice()), ([7].as_slice(), [-1].as_slice()));
        let account = drawn.account(&Limit::Usd(Usd::from_pico(10)));
        assert_eq!(account.units(), [Used { unit: Unit::Usd, limit: 10, spent: 7, reserved: -1 }]);
    }

    #[test]
    fn a_threshold_above_the_limit_does_not_hide_that_it_is_used_up() {
        let mut budget = Budget::example("x", PeriodKind::Daily, "10");
        budget.gate_at = Threshold::parse("2").unwrap();
        let state = |dollars| {
            let spent = budget.limit.measure(Usd::from_dollars(dollars), &[]);
            Account::new(&budget.limit, Some(&spent), None).state(&budget)
        };
        assert_eq!([7, 8, 10, 20].map(state), {
            use BudgetState::{Exhausted, Ok, Warning};
            [Ok, Warning, Exhausted, Exhausted]
        });
    }
}
