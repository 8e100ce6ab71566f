//! From which amounts on a budget's thresholds are reached, worked out once.
//!
//! *Invariants.* A bar is the least amount that [`Threshold::reached`] takes. So whoever compares with bars says what
//! [`Account`](super::Account) says, which is made for people: it knows names of units and shares.

use super::{Amounts, Budget, BudgetState, Limit};
use crate::domain::Threshold;

/// The amounts that decide how a budget stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bars {
    limits: Amounts,
    /// For each threshold a bar for each unit: those of the alerts, ascending, then that of the gate, then the whole limit.
    thresholds: Box<[Amounts]>,
}

impl Bars {
    /// Those of a budget under the limit that it has.
    pub fn of(budget: &Budget) -> Self {
        let limits = budget.limit.amounts();
        let shares = budget.warn_at.iter().copied().chain([budget.gate_at, Threshold::FULL]);
        let bars = |share: Threshold| limits.iter().map(|limit| share.bar(*limit)).collect();
        Self { thresholds: shares.map(bars).collect(), limits }
    }

    /// The limit of each unit.
    pub fn limits(&self) -> &Amounts {
        &self.limits
    }

    /// How many thresholds were reached, the gate's and the limit included.
    pub fn level(&self, spent: &Amounts) -> usize {
        self.thresholds.iter().filter(|bars| is_at(bars, spent)).count()
    }

    /// How serious it is of a key, as keys are counted: their gate threshold closes no gate.
    pub fn key_state(&self, spent: &Amounts) -> BudgetState {
        match self.thresholds.as_ref() {
            [.., full] if is_at(full, spent) => BudgetState::Exhausted,
            // Without alerts the first one is the gate's.
            [lowest, _, _, ..] if is_at(lowest, spent) => BudgetState::Warning,
            _ => BudgetState::Ok,
        }
    }

    /// Whether the gate's threshold was reached.
    pub fn is_at_gate(&self, spent: &Amounts) -> bool {
        matches!(self.thresholds.as_ref(), [.., gate, _] if is_at(gate, spent))
    }

    /// Whether the limit was used up.
    pub fn is_exhausted(&self, spent: &Amounts) -> bool {
        spent.iter().zip(&self.limits).any(|(spent, limit)| spent >= limit)
    }
}

impl Limit {
    /// Whether these are the limits of its units.
    pub fn has_amounts(&self, amounts: &Amounts) -> bool {
        match self {
            Self::Usd(usd) => amounts.as_slice() == [usd.pico()],
            Self::Usage(_) => *amounts == self.amounts(),
        }
    }
}

/// Whether some unit is at its bar. What is not known of a unit is nothing.
fn is_at(bars: &Amounts, spent: &Amounts) -> bool {
    bars.iter().enumerate().any(|(at, bar)| spent.get(at).copied().unwrap_or(0) >= *bar)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::budget::Account;
    use crate::domain::{PeriodKind, UsageCount};

    proptest! {
        #[test]
        fn bars_say_what_the_account_says(
            limits in prop::collection::vec(0..5_u64, 1..3),
            spent in prop::collection::vec(-2_000_000..6_000_000_i128, 0..3),
            shares in prop::collection::btree_set(1..30_u32, 0..4),
            gate in 1..30_u32,
        ) {
            let share = |tenths: &u32| Threshold::parse(&format!("{}.{}", tenths / 10, tenths % 10)).unwrap();
            let kinds = ["a", "b"];
            let counts: Vec<_> = kinds.into_iter().zip(limits).collect();
            let mut budget = Budget::example("x", PeriodKind::Daily, "1");
            budget.limit = Limit::Usage(UsageCount::list(&counts));
            (budget.warn_at, budget.gate_at) = (shares.iter().map(share).collect(), share(&gate));
            let (bars, spent) = (Bars::of(&budget), Amounts::from_vec(spent));
            let account = Account::new(&budget.limit, Some(&spent), None);
            let reached = |share: &Threshold| account.at_or_above(*share).is_some();
            let state = match bars.key_state(&spent) {
                BudgetState::Exhausted => reached(&Threshold::FULL),
                BudgetState::Warning => !reached(&Threshold::FULL) && budget.warn_at.first().is_some_and(reached),
                BudgetState::Critical => false,
                BudgetState::Ok => !reached(&Threshold::FULL) && !budget.warn_at.first().is_some_and(reached),
            };
            prop_assert!(state, "{bars:?} {spent:?}");
            prop_assert_eq!(bars.is_at_gate(&spent), account.at_or_above(budget.gate_at).is_some());
            let all = budget.warn_at.iter().copied().chain([budget.gate_at, Threshold::FULL]);
            prop_assert_eq!(bars.level(&spent), all.filter(|share| account.at_or_above(*share).is_some()).count());
            prop_assert!(budget.limit.has_amounts(bars.limits()));
        }
    }

    #[test]
    fn a_limit_is_used_up_when_any_of_its_units_is() {
        let mut budget = Budget::example("x", PeriodKind::Daily, "1");
        budget.limit = Limit::Usage(UsageCount::list(&[("images", 2), ("tokens", 3)]));
        let bars = Bars::of(&budget);
        for (images, tokens, is_exhausted) in
            [(1_999_999, 2_999_999, false), (2_000_000, 0, true), (0, 3_000_000, true), (9_000_000, 9_000_000, true)]
        {
            assert_eq!(bars.is_exhausted(&Amounts::from_slice(&[images, tokens])), is_exhausted, "{images} {tokens}");
        }
        let money = Budget::example("x", PeriodKind::Daily, "1").limit;
        assert!(money.has_amounts(&money.amounts()) && !money.has_amounts(&Amounts::from_slice(&[1])));
        assert!(!budget.limit.has_amounts(&money.amounts()));
    }
}
