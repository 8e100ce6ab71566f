//! From the budgets as they were written to the list of those that hold.
//!
//! *Invariants.* Names are unique. The order is: `daily`, `monthly`, the tables as the file has them, the caps by name. A cap of the
//! environment goes over what the file says about the same name, service and period; the rest of the table stays.

use std::collections::BTreeMap;

use super::super::problem::{Origin, Placed, Problem};
use super::draft::BudgetDraft;
use crate::budget::{Action, Budget};
use crate::domain::PeriodKind;

/// Budgets there may be. Each is looked at in every decision, and has series in the metrics.
pub const BUDGETS_MAX: usize = 64;

/// The budgets in the order in which they are shown, each with where it was written.
#[derive(Default)]
pub(in crate::config) struct Budgets {
    pub list: Vec<(Budget, Origin)>,
    pub problems: Vec<Problem>,
    /// What is allowed and contradicts itself.
    pub doubts: Vec<String>,
}

/// The list while it grows.
#[derive(Default)]
struct Entries {
    list: Vec<Placed<BudgetDraft>>,
    positions: BTreeMap<String, usize>,
    problems: Vec<Problem>,
}

/// Puts all that was written into one list: the budgets for all services, the tables, and the caps from the lower layers to the
/// higher ones.
pub(in crate::config) fn resolve(
    global: [Placed<BudgetDraft>; 2],
    tables: Vec<Placed<BudgetDraft>>,
    caps: Vec<Placed<BudgetDraft>>,
) -> Budgets {
    let thresholds: BTreeMap<PeriodKind, _> = global
        .iter()
        .map(|Placed { value, .. }| (value.budget.cycle.kind, (value.budget.warn_at.clone(), value.budget.gate_at)))
        .collect();
    let mut entries = Entries::default();
    // A name is free again where the setting says `none`.
    for budget in global.into_iter().filter(|budget| budget.value.limit.is_some()) {
        entries.add(budget);
    }
    for table in tables.into_iter().filter(|table| !table.value.budget.name.is_empty()) {
        entries.add(table);
    }
    let doubts_of = |entry: &Placed<BudgetDraft>| [late_warning(&entry.value.budget), idle_gate(&entry.value)];
    let mut doubts: Vec<String> = entries.list.iter().flat_map(doubts_of).flatten().collect();
    let tables_end = entries.list.len();
    for mut cap in caps {
        if let Some((warn_at, gate_at)) = thresholds.get(&cap.value.budget.cycle.kind) {
            cap.value.budget.warn_at.clone_from(warn_at);
            cap.value.budget.gate_at = *gate_at;
        }
        entries.cap(cap);
    }
    let Entries { mut list, mut problems, .. } = entries;
    list[tables_end..].sort_by(|one, other| one.value.budget.name.cmp(&other.value.budget.name));
    let list: Vec<_> = list.into_iter().filter_map(|entry| Some((entry.value.finish()?, entry.origin))).collect();
    if let Some((_, origin)) = list.get(BUDGETS_MAX) {
        let detail = format!("is one budget too many: there are {}; the maximum is {BUDGETS_MAX}", list.len());
        problems.push(Problem { setting: None, origin: origin.clone(), detail });
    }
    doubts.extend(super::doubts::about(&list));
    Budgets { list, problems, doubts }
}

fn late_warning(budget: &Budget) -> Option<String> {
    let (warn, gate) = (*budget.warn_at.first()?, budget.gate_at);
    (warn > gate).then(|| {
        format!(
            "budget {:?}: its warning threshold ({} %) is above its gate threshold ({} %), so its state is never warning",
            budget.name,
            warn.percent(),
            gate.percent()
        )
    })
}

/// `gate_at` of a budget that closes no gate. Of a service it has always been the share at which its state is critical.
fn idle_gate(draft: &BudgetDraft) -> Option<String> {
    let budget = &draft.budget;
    let is_of_service = budget.cover.service().is_some() && budget.each.is_none() && budget.action == Action::Block;
    (draft.says_gate_at && !budget.is_global() && !is_of_service).then(|| {
        let why = if budget.action == Action::Watch { "only watches" } else { "is not of all cost" };
        format!("budget {:?} {why}, so its gate_at closes no gate; from there its state is critical", budget.name)
    })
}

impl Entries {
    fn add(&mut self, entry: Placed<BudgetDraft>) {
        let name = &entry.value.budget.name;
        if let Some(position) = self.positions.get(name) {
            let detail = format!("name {name:?} {}", taken(name, &self.list[*position].origin));
            self.problems.push(Problem { setting: Some("budget"), origin: entry.origin, detail });
            return;
        }
        self.positions.insert(name.clone(), self.list.len());
        self.list.push(entry);
    }

    fn cap(&mut self, cap: Placed<BudgetDraft>) {
        let name = &cap.value.budget.name;
        let Some(entry) = self.positions.get(name).map(|position| &mut self.list[*position]) else {
            return self.add(cap);
        };
        if yields(entry, &cap) {
            entry.value.limit = cap.value.limit;
            entry.origin = cap.origin;
        } else {
            let detail = format!("defines the budget {name:?}, whose name {}", taken(name, &entry.origin));
            self.problems.push(Problem { setting: None, origin: cap.origin, detail });
        }
    }
}

/// Whether a cap is the same budget, said by a higher layer.
fn yields(entry: &Placed<BudgetDraft>, cap: &Placed<BudgetDraft>) -> bool {
    let higher = matches!((&entry.origin, &cap.origin), (Origin::File { .. }, Origin::Environment(_)));
    let of_usage = !entry.value.limit_usage.is_empty();
    let (entry, cap) = (&entry.value.budget, &cap.value.budget);
    let covers_the_same = entry.cover.definition() == cap.cover.definition() && entry.each == cap.each;
    higher && covers_the_same && entry.cycle == cap.cycle && !of_usage
}

fn taken(name: &str, by: &Origin) -> String {
    match by {
        Origin::Default => format!("is already taken by {name}_budget"),
        by => format!("is already taken by {by}"),
    }
}
