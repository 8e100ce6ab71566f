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
    let (global, of_services): (Vec<&Budget>, Vec<&Budget>) = budgets.iter().partition(|budget| budget.is_global());
    let spends = |budget: &&&Budget| usd(budget) > Usd::ZERO;
    for month in budgets.iter().filter(|budget| budget.cycle.kind == PeriodKind::Monthly && usd(budget) > Usd::ZERO) {
        let is_above =
            |day: &&&Budget| day.cycle.kind == PeriodKind::Daily && covers_the_same(day, month) && usd(day) > usd(month);
        let day = budgets.iter().find(is_above);
        if let Some(day) = day {
            doubts.push(format!(
                "budget {:?} ({} a month) is below budget {:?} ({} a day): one day may use up the month",
                month.name, month.limit, day.name, day.limit
            ));
        }
    }
    for budget in of_services {
        let smaller = global.iter().filter(spends).find(|all| {
            let is_as_long = all.cycle == budget.cycle || budget.cycle.kind == PeriodKind::Daily;
            is_as_long && usd(all) < usd(budget)
        });
        if let Some(all) = smaller {
            doubts.push(format!(
                "budget {:?} ({}) is above budget {:?} ({}), which covers all services and is used up before",
                budget.name, budget.limit, all.name, all.limit
            ));
        }
    }
    doubts
}

/// The limit of a budget of money; 0 of others, which are not compared.
fn usd(budget: &Budget) -> Usd {
    budget.limit.usd().unwrap_or(Usd::ZERO)
}

/// Whether both are of all services, or of the same one.
fn covers_the_same(one: &Budget, other: &Budget) -> bool {
    one.each == other.each && one.cover.definition() == other.cover.definition()
}
