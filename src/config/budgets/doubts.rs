//! Budgets that contradict each other: each is allowed, and together they are probably not what somebody meant.
//!
//! *Invariants.* At most one doubt of a kind for each budget. A limit of 0 is no contradiction: it says that nothing may be spent. Nor is
//! a sum that was paid ahead, which says nothing about how fast it may go.

use super::super::problem::Origin;
use crate::budget::{Action, Budget};
use crate::domain::{Cycle, PeriodKind};

/// What is doubtful about the budgets as they hold.
pub(super) fn about(budgets: &[(Budget, Origin)]) -> Vec<String> {
    let budgets: Vec<&Budget> = budgets.iter().map(|(budget, _)| budget).collect();
    let longer = budgets.iter().filter_map(|budget| below_a_shorter_one(budget, &budgets));
    longer.chain(budgets.iter().filter_map(|budget| above_one_of_all(budget, &budgets))).collect()
}

/// A limit below that of a shorter period of the same.
fn below_a_shorter_one(budget: &Budget, budgets: &[&Budget]) -> Option<String> {
    let long = word(budget.cycle.kind)?;
    let is_above =
        |other: &&&Budget| other.cycle.kind < budget.cycle.kind && covers_the_same(other, budget) && is_less(budget, other);
    let other = budgets.iter().find(is_above)?;
    let short = word(other.cycle.kind)?;
    Some(format!(
        "budget {:?} ({} {} {long}) is below budget {:?} ({} {} {short}): one {short} may use up the {long}",
        budget.name,
        budget.limit,
        article(long),
        other.name,
        other.limit,
        article(short)
    ))
}

/// A limit of some cost above one of all cost, which is used up before.
fn above_one_of_all(budget: &Budget, budgets: &[&Budget]) -> Option<String> {
    let refuses = !budget.is_global() && budget.action == Action::Block;
    let is_before = |all: &&&Budget| all.is_global() && lies_within(&budget.cycle, &all.cycle) && is_less(all, budget);
    let all = budgets.iter().find(|all| refuses && is_before(all))?;
    Some(format!(
        "budget {:?} ({}) is above budget {:?} ({}), which covers all services and is used up before",
        budget.name, budget.limit, all.name, all.limit
    ))
}

/// Whether there is less of a unit that both count, and more than none.
fn is_less(one: &Budget, other: &Budget) -> bool {
    let amounts = one.limit.amounts();
    let mut pairs = amounts.iter().zip(other.limit.amounts());
    one.limit.has_units_of(&other.limit) && amounts.iter().all(|one| *one > 0) && pairs.any(|(one, other)| *one < other)
}

/// Whether each period of a cycle lies in one of another.
fn lies_within(inner: &Cycle, outer: &Cycle) -> bool {
    use PeriodKind::{Daily, Hourly, Monthly, Quarterly, Total, Yearly};
    let are_of_months = matches!(inner.kind, Monthly | Quarterly) && matches!(outer.kind, Quarterly | Yearly);
    inner == outer
        || outer.kind == Total
        || (matches!(inner.kind, Hourly | Daily) && inner.kind <= outer.kind)
        || (are_of_months && inner.kind <= outer.kind && inner.start_day == outer.start_day)
}

/// Whether both count the same, and do the same about it.
fn covers_the_same(one: &Budget, other: &Budget) -> bool {
    one.each == other.each && one.action == other.action && one.cover.definition() == other.cover.definition()
}

/// What a period is called, if it ends.
fn word(kind: PeriodKind) -> Option<&'static str> {
    match kind {
        PeriodKind::Hourly => Some("hour"),
        PeriodKind::Daily => Some("day"),
        PeriodKind::Weekly => Some("week"),
        PeriodKind::Monthly => Some("month"),
        PeriodKind::Quarterly => Some("quarter"),
        PeriodKind::Yearly => Some("year"),
        PeriodKind::Total => None,
    }
}

fn article(word: &str) -> &'static str {
    if word == "hour" { "an" } else { "a" }
}
