//! The one rule for "may this be spent?". A check asks it of the published state, a reservation of the state that the writer is
//! about to commit.

use std::borrow::Cow;

use jiff::Timestamp;

use super::{Budget, GateVerdict, Policy, Used};
use crate::domain::{GateMode, Name, Usd};

/// Something that somebody wants to pay for.
#[derive(Clone, Copy, Debug)]
pub struct Spend<'a> {
    /// The service to be paid.
    pub service: &'a Name,
    /// What it will be asked to do.
    pub operation: &'a Name,
    /// The most that it is thought to cost; zero or more.
    pub estimate: Usd,
}

/// Whether it may be spent, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may, whatever gate and budgets say.
    Critical,
    /// It may, because nothing is enforced.
    Unenforced,
    /// It may, because the gate is not active and it fits every budget.
    Fits,
    /// It may not.
    Refused(Refusal),
}

/// Why something may not be spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The scaling gate is active.
    GateActive {
        /// The gate's reason.
        reason: Cow<'static, str>,
        /// The budget that closed it; `None` where an operator did.
        budget: Option<BudgetLeft>,
    },
    /// It would pass a limit.
    BudgetExhausted(BudgetLeft),
}

/// What is left of a budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetLeft {
    /// The budget's name.
    pub name: String,
    /// Limit − spent − reserved, where a sum below zero counts as 0; may be negative.
    pub remaining: Usd,
    /// When its next period begins.
    pub period_end: Timestamp,
}

/// Decides. `used` says what counts against a budget now, `period_end` when its period is over.
pub fn admit(
    policy: &Policy,
    gate: &GateVerdict,
    spend: Spend<'_>,
    used: impl Fn(&Budget) -> Used,
    period_end: impl Fn(&Budget) -> Timestamp,
) -> Admission {
    if policy.critical.contains(spend.service, spend.operation) {
        return Admission::Critical;
    }
    if !policy.gate_enabled {
        return Admission::Unenforced;
    }
    let left =
        |budget: &Budget, remaining| BudgetLeft { name: budget.name.clone(), remaining, period_end: period_end(budget) };
    if gate.active {
        let closed_it =
            |budget: &&Budget| budget.service.is_none() && budget.gate_at.reached(used(budget).counted(), budget.limit);
        let budget = if gate.mode == GateMode::Manual { None } else { policy.budgets.iter().find(closed_it) };
        let budget = budget.map(|budget| left(budget, used(budget).remaining(budget)));
        return Admission::Refused(Refusal::GateActive { reason: gate.reason.clone(), budget });
    }
    let covering = policy.budgets.iter().filter(|budget| budget.covers(spend.service));
    let tightest = covering.map(|budget| (used(budget).remaining(budget), budget)).min_by_key(|(remaining, _)| *remaining);
    match tightest {
        Some((remaining, budget)) if spend.estimate > remaining => {
            Admission::Refused(Refusal::BudgetExhausted(left(budget, remaining)))
        }
        _ => Admission::Fits,
    }
}

impl Used {
    /// What of the cost counts: credits can bring it below zero, but never make more than the limit available.
    pub fn counted(self) -> Usd {
        self.spent.max(Usd::ZERO)
    }

    /// What is left of a budget of which so much is used: its limit at most.
    pub fn remaining(self, budget: &Budget) -> Usd {
        budget.limit - self.counted() - self.reserved
    }
}

impl Admission {
    /// Why, for a person.
    pub fn reason(&self) -> Cow<'static, str> {
        match self {
            Self::Critical => "Critical operation".into(),
            Self::Unenforced => super::REASON_DISABLED.into(),
            Self::Fits => "Within budget".into(),
            Self::Refused(refusal) => refusal.reason().into(),
        }
    }
}

impl Refusal {
    /// Why, for a person.
    pub fn reason(&self) -> String {
        match self {
            Self::GateActive { reason, .. } => format!("Scaling gate is active: {reason}"),
            Self::BudgetExhausted(left) => {
                format!("Budget {} has {} USD left until {}", left.name, left.remaining, left.period_end)
            }
        }
    }

    /// The budget in question, if one is.
    pub const fn budget(&self) -> Option<&BudgetLeft> {
        match self {
            Self::GateActive { budget, .. } => budget.as_ref(),
            Self::BudgetExhausted(left) => Some(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{CriticalOperations, judge};
    use crate::domain::{BudgetZone, GateOverride};

    fn usd(text: &str) -> Usd {
        Usd::parse(text).unwrap()
    }

    /// 10 USD a day, of which so much is spent and reserved; 1,000 a month, untouched.
    fn ask(policy: &Policy, manual: Option<bool>, spent: &str, reserved: &str, estimate: &str) -> Admission {
        let end: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
        let used = |budget: &Budget| match budget.name.as_str() {
            "daily" => Used { spent: usd(spent), reserved: usd(reserved) },
            _ => Used { spent: Usd::ZERO, reserved: Usd::ZERO },
        };
        let manual = manual.map(|active| GateOverride {
            active,
            reason: "by hand".into(),
            actor: String::new(),
            since: end,
            expires_at: None,
        });
        let gate = judge(policy, manual.as_ref(), used);
        let (service, operation) = (Name::new("openai").unwrap(), Name::new("chat").unwrap());
        admit(policy, &gate, Spend { service: &service, operation: &operation, estimate: usd(estimate) }, used, |_| end)
    }

    fn policy() -> Policy {
        Policy::example(BudgetZone::UTC, 10)
    }

    #[test]
    fn what_fits_to_the_last_pico_dollar_is_admitted_and_nothing_beyond() {
        assert_eq!(ask(&policy(), None, "4", "5.5", "0.5"), Admission::Fits);
        let Admission::Refused(Refusal::BudgetExhausted(left)) = ask(&policy(), None, "4", "5.5", "0.500000000001") else {
            panic!("it passes the limit")
        };
        assert_eq!((left.name.as_str(), left.remaining), ("daily", usd("0.5")));
        assert!(matches!(ask(&policy(), None, "4", "7", "0"), Admission::Refused(Refusal::BudgetExhausted(_))));
    }

    #[test]
    fn credits_leave_no_more_than_the_limit() {
        assert_eq!(ask(&policy(), None, "-500", "0", "10"), Admission::Fits);
        let Admission::Refused(Refusal::BudgetExhausted(left)) = ask(&policy(), None, "-500", "3", "7.000000000001") else {
            panic!("it passes the limit")
        };
        assert_eq!((left.name.as_str(), left.remaining), ("daily", usd("7")));
    }

    #[test]
    fn a_budget_covers_its_service_in_any_letter_case() {
        let mut policy = policy();
        policy.budgets[0].service = Some(Name::new("OpenAI").unwrap());
        assert!(matches!(ask(&policy, None, "10", "0", "1"), Admission::Refused(Refusal::BudgetExhausted(_))));
        policy.budgets[0].service = Some(Name::new("OpenAI2").unwrap());
        assert_eq!(ask(&policy, None, "10", "0", "1"), Admission::Fits);
    }

    #[test]
    fn the_gate_comes_before_the_budgets_and_names_what_closed_it() {
        let Admission::Refused(Refusal::GateActive { budget: Some(left), .. }) = ask(&policy(), None, "9", "0", "0") else {
            panic!("nine tenths are spent")
        };
        assert_eq!(left.name, "daily");
        assert!(matches!(
            ask(&policy(), Some(true), "0", "0", "0"),
            Admission::Refused(Refusal::GateActive { budget: None, .. })
        ));
        assert_eq!(ask(&policy(), Some(false), "9", "0", "1"), Admission::Fits);
        assert!(matches!(ask(&policy(), Some(false), "9", "0", "1.1"), Admission::Refused(Refusal::BudgetExhausted(_))));
    }

    #[test]
    fn critical_work_and_a_disabled_gate_admit_everything() {
        let critical = Policy { critical: CriticalOperations::new(["openai:ch*"]), ..policy() };
        assert_eq!(ask(&critical, Some(true), "99", "0", "1"), Admission::Critical);
        let watching = Policy { gate_enabled: false, ..policy() };
        assert_eq!(ask(&watching, Some(true), "99", "0", "1"), Admission::Unenforced);
    }
}
