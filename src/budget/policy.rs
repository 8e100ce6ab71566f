//! What the operator asked for: the budgets, and whether the gate may close.

use super::CriticalOperations;
use crate::domain::{BudgetZone, Name, PeriodKind, Threshold, Usd};

/// A limit for a period, for everything or for one service.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Unique name, such as `daily`.
    pub name: String,
    /// The service it covers, in any letter case; `None` covers all cost.
    pub service: Option<Name>,
    /// How often it begins anew.
    pub period: PeriodKind,
    /// What may be spent in one period; zero or more.
    pub limit: Usd,
    /// Share of the limit from which the state is `warning`.
    pub warn_at: Threshold,
    /// Share of the limit from which the state is `critical`; a global budget closes the gate there.
    pub gate_at: Threshold,
}

/// Everything the rules need to know besides what was spent.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The zone whose days and months are counted.
    pub zone: BudgetZone,
    /// In the order in which they are shown.
    pub budgets: Vec<Budget>,
    /// `false`: watch and account, but never close the gate.
    pub gate_enabled: bool,
    /// Operations that are never refused.
    pub critical: CriticalOperations,
}

impl Policy {
    /// The services that budgets name.
    pub fn services(&self) -> impl Iterator<Item = &Name> {
        self.budgets.iter().filter_map(|budget| budget.service.as_ref())
    }
}

impl Budget {
    /// Whether cost of this service counts against it. Letter case makes no difference.
    pub fn covers(&self, service: &Name) -> bool {
        self.service.as_ref().is_none_or(|covered| covered.is_like(service))
    }
}

#[cfg(test)]
impl Policy {
    /// The two global budgets at their default thresholds, 1,000 USD a month, for tests.
    pub(crate) fn example(zone: BudgetZone, daily_dollars: i64) -> Self {
        let budget = |name: &str, period, dollars| Budget {
            name: name.into(),
            service: None,
            period,
            limit: Usd::from_dollars(dollars),
            warn_at: Threshold::parse("0.8").unwrap(),
            gate_at: Threshold::parse("0.9").unwrap(),
        };
        let budgets = vec![budget("daily", PeriodKind::Daily, daily_dollars), budget("monthly", PeriodKind::Monthly, 1_000)];
        Self { zone, budgets, gate_enabled: true, critical: CriticalOperations::default() }
    }
}
