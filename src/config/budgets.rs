//! All budgets: the two global ones, the `[[budget]]` tables of the file, and the caps, as one list.
//!
//! *Invariants.* Names are unique. The order is: `daily`, `monthly`, the tables as the file has them, the caps by name. A cap of the
//! environment goes over what the file says about the same name, service and period; the rest of the table stays.
//!
//! *Limits.* [`BUDGETS_MAX`].

use std::collections::BTreeMap;

use super::caps::Cap;
use super::problem::{Origin, Problem};
use super::section::{Array, Field, Section};
use super::table::{BudgetDraft, Shape, put};
use super::value;
use crate::budget::Budget;
use crate::domain::{Name, PeriodKind, Threshold, Usd};

/// Budgets there may be. Each is looked at in every decision, and has series in the metrics.
pub const BUDGETS_MAX: usize = 1_000;

/// One table of the file.
#[derive(Clone, Debug)]
pub(super) struct BudgetTable {
    /// Empty: it has none that can be used, which was noted.
    name: String,
    service: Option<Name>,
    period: PeriodKind,
    limit: Option<Usd>,
    warn_at: Threshold,
    gate_at: Threshold,
}

impl Default for BudgetTable {
    fn default() -> Self {
        // The defaults of the contract. They are known to be readable, and a test says so.
        let share = |text| Threshold::parse(text).unwrap_or(Threshold::FULL);
        Self {
            name: String::new(),
            service: None,
            period: PeriodKind::Daily,
            limit: None,
            warn_at: share("0.8"),
            gate_at: share("0.9"),
        }
    }
}

/// `[[budget]]`.
pub(super) const TABLES: Array<BudgetTable> = Array { name: "budget", fields: &FIELDS, tables_max: BUDGETS_MAX };

const FIELDS: [Field<BudgetTable>; 6] = [
    Field {
        key: "name",
        shape: Shape::Text,
        required: true,
        allowed: "1 to 128 bytes without control characters",
        set: |table, text| put(&mut table.name, value::label(text)),
    },
    Field {
        key: "service",
        shape: Shape::Text,
        required: false,
        allowed: "1 to 128 bytes without control characters; without it the budget is for all services",
        set: |table, text| put(&mut table.service, Name::new(text).map(Some).map_err(|wrong| wrong.to_string())),
    },
    Field {
        key: "period",
        shape: Shape::Text,
        required: true,
        allowed: "daily or monthly",
        set: |table, text| put(&mut table.period, value::period(text)),
    },
    Field {
        key: "limit_usd",
        shape: Shape::Number,
        required: true,
        allowed: value::LIMIT,
        set: |table, text| put(&mut table.limit, value::limit(text)),
    },
    Field {
        key: "warn_at",
        shape: Shape::Number,
        required: false,
        allowed: value::SHARE,
        set: |table, text| put(&mut table.warn_at, value::threshold(text)),
    },
    Field {
        key: "gate_at",
        shape: Shape::Number,
        required: false,
        allowed: value::SHARE,
        set: |table, text| put(&mut table.gate_at, value::threshold(text)),
    },
];

/// What the layers say about budgets.
pub(super) struct Written {
    pub daily: (BudgetDraft, Origin),
    pub monthly: (BudgetDraft, Origin),
    pub tables: Vec<Section<BudgetTable>>,
    /// From the lower layers to the higher ones.
    pub caps: Vec<Cap>,
}

/// The budgets in the order in which they are shown, each with where it was written.
#[derive(Default)]
pub(super) struct Budgets {
    pub list: Vec<(Budget, Origin)>,
    pub problems: Vec<Problem>,
    pub warnings: Vec<String>,
}

/// A budget that may still lose its limit or get another.
struct Entry {
    budget: Budget,
    /// Whether it has the limit that the budget says.
    limited: bool,
    origin: Origin,
}

/// The list while it grows.
#[derive(Default)]
struct Entries {
    list: Vec<Entry>,
    positions: BTreeMap<String, usize>,
    problems: Vec<Problem>,
}

/// Puts all that was written into one list.
pub(super) fn resolve(written: Written) -> Budgets {
    let Written { daily, monthly, tables, caps } = written;
    let thresholds = [&daily.0, &monthly.0].map(|draft| (draft.warn_at, draft.gate_at));
    let mut entries = Entries::default();
    for (period, (draft, origin)) in [(PeriodKind::Daily, daily), (PeriodKind::Monthly, monthly)] {
        // A name is free again where the setting says `none`.
        if draft.limit.is_some() {
            let BudgetDraft { limit, warn_at, gate_at } = draft;
            let name = period.as_str().to_owned();
            entries.add(BudgetTable { name, service: None, period, limit, warn_at, gate_at }, origin);
        }
    }
    for Section { draft, origin } in tables.into_iter().filter(|table| !table.draft.name.is_empty()) {
        entries.add(draft, origin);
    }
    let warnings = entries.list.iter().filter_map(|entry| late_warning(&entry.budget)).collect();
    let tables_end = entries.list.len();
    for cap in caps {
        let [daily, monthly] = thresholds;
        entries.cap(cap, |period| if period == PeriodKind::Daily { daily } else { monthly });
    }
    let Entries { mut list, mut problems, .. } = entries;
    list[tables_end..].sort_by(|one, other| one.budget.name.cmp(&other.budget.name));
    let list: Vec<_> = list.into_iter().filter(|entry| entry.limited).map(|entry| (entry.budget, entry.origin)).collect();
    if let Some((_, origin)) = list.get(BUDGETS_MAX) {
        let detail = format!("is one budget too many: there are {}, more than {BUDGETS_MAX}", list.len());
        problems.push(Problem { setting: None, origin: origin.clone(), detail });
    }
    Budgets { list, problems, warnings }
}

fn late_warning(budget: &Budget) -> Option<String> {
    let (warn, gate) = (budget.warn_at, budget.gate_at);
    (warn > gate).then(|| {
        format!(
            "budget {:?}: it warns at {} %, which is above the {} % of the gate: it is never in state warning",
            budget.name,
            warn.percent(),
            gate.percent()
        )
    })
}

impl Entries {
    fn add(&mut self, table: BudgetTable, origin: Origin) {
        let BudgetTable { name, service, period, limit, warn_at, gate_at } = table;
        if let Some(position) = self.positions.get(&name) {
            let detail = taken(&name, &self.list[*position].origin);
            self.problems.push(Problem { setting: Some("budget"), origin, detail: format!("name {detail}") });
            return;
        }
        self.positions.insert(name.clone(), self.list.len());
        let budget = Budget { name, service, period, limit: limit.unwrap_or(Usd::ZERO), warn_at, gate_at };
        self.list.push(Entry { budget, limited: limit.is_some(), origin });
    }

    fn cap(&mut self, cap: Cap, thresholds: impl Fn(PeriodKind) -> (Threshold, Threshold)) {
        let name = cap.budget_name();
        let Some(entry) = self.positions.get(&name).map(|position| &mut self.list[*position]) else {
            let Cap { service, period, limit, origin } = cap;
            let (warn_at, gate_at) = thresholds(period);
            return self.add(BudgetTable { name, service: Some(service), period, limit, warn_at, gate_at }, origin);
        };
        if entry.yields_to(&cap) {
            entry.budget.limit = cap.limit.unwrap_or(Usd::ZERO);
            entry.limited = cap.limit.is_some();
            entry.origin = cap.origin;
        } else {
            let detail = format!("makes a budget whose name {}", taken(&name, &entry.origin));
            self.problems.push(Problem { setting: None, origin: cap.origin, detail });
        }
    }
}

impl Entry {
    /// Whether a cap is the same budget, said by a higher layer.
    fn yields_to(&self, cap: &Cap) -> bool {
        let higher = matches!((&self.origin, &cap.origin), (Origin::File { .. }, Origin::Environment(_)));
        higher && self.budget.service.as_ref() == Some(&cap.service) && self.budget.period == cap.period
    }
}

fn taken(name: &str, by: &Origin) -> String {
    match by {
        Origin::Default => format!("{name:?} is taken already: it is the budget of {name}_budget"),
        by => format!("{name:?} is taken already, by {by}"),
    }
}
