//! Budgets that contradict each other: each is allowed, and together they are probably not what somebody meant.
//!
//! *Invariants.* At most one doubt of a kind for each budget. A limit of 0 is no contradiction: it says that nothing may be spent.

use super::super::problem::Origin;
use crate::budget::Budget;
use crate::domain::{PeriodKind, Usd};

/// What is doubtful about the budgets as they hold.
pub(super) fn about(budgets: &[(Budget, Origin)]) -> Vec<String> {
    let mut doubts: Vec<String> = Vec::new();
    let budgets: Vec<&Budget> = budgets.iter().map(|(budget, _)| budget).collect();
    let (global, of_services): (Vec<&Budget>, Vec<&Budget>) = budgets.iter().partition(|budget| budget.service.is_none());
    let spends = |budget: &&&Budget| budget.limit > Usd::ZERO;
    for month in budgets.iter().filter(|budget| budget.period == PeriodKind::Monthly && budget.limit > Usd::ZERO) {
        let day = budgets
            .iter()
            .find(|day| day.period == PeriodKind::Daily && covers_the_same(day, month) && day.limit > month.limit);
        if let Some(day) = day {
            doubts.push(format!(
                "budget {:?} ({} USD a month) is below budget {:?} ({} USD a day): one day may use up the month",
                month.name, month.limit, day.name, day.limit
            ));
        }
    }
    for budget in of_services {
        let smaller = global.iter().filter(spends).find(|all| {
            let is_as_long = all.period == budget.period || budget.period == PeriodKind::Daily;
            is_as_long && all.limit < budget.limit
        });
        if let Some(all) = smaller {
            doubts.push(format!(
                "budget {:?} ({} USD) is above budget {:?} ({} USD), which covers all services and is used up before",
                budget.name, budget.limit, all.name, all.limit
            ));
        }
    }
    doubts
}

/// Whether both are of all services, or of the same one.
fn covers_the_same(one: &Budget, other: &Budget) -> bool {
    let folded = |budget: &Budget| budget.service.as_ref().map(|service| service.as_str().to_lowercase());
    folded(one) == folded(other)
}
