//! The scaling gate: whether work that is not critical must stop.

use std::borrow::Cow;

use super::{Budget, Policy};
use crate::domain::{GateMode, GateOverride, Usd, nearest_f64_percent};

/// The reason while no budget has reached its threshold.
pub const REASON_BELOW: &str = "Below threshold";
/// The reason while the operator only watches.
pub const REASON_DISABLED: &str = "Scaling gate is disabled";

/// What the rule says at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateVerdict {
    /// `true`: stop work that is not critical.
    pub active: bool,
    /// Why, for a person: the budget, the figure and the threshold.
    pub reason: Cow<'static, str>,
    /// What the gate follows.
    pub mode: GateMode,
}

/// The one rule of the gate: what the operator says while that holds, else active while the utilization of any global budget is at
/// or above its gate threshold. `spent` says what a budget's current period has cost.
pub fn judge(policy: &Policy, manual: Option<&GateOverride>, spent: impl Fn(&Budget) -> Usd) -> GateVerdict {
    if !policy.gate_enabled {
        return GateVerdict { active: false, reason: REASON_DISABLED.into(), mode: GateMode::Disabled };
    }
    if let Some(manual) = manual {
        return GateVerdict { active: manual.active, reason: manual.reason.clone().into(), mode: GateMode::Manual };
    }
    let global = policy.budgets.iter().filter(|budget| budget.service.is_none()).map(|budget| (budget, spent(budget)));
    let reached: Vec<String> = global
        .filter(|(budget, spent)| budget.gate_at.reached(*spent, budget.limit))
        .map(|(budget, spent)| {
            format!(
                "Budget {} is at {}% ({spent} of {} USD), at or above its gate threshold of {}%",
                budget.name,
                nearest_f64_percent(spent, budget.limit),
                budget.limit,
                budget.gate_at.percent()
            )
        })
        .collect();
    let reason = if reached.is_empty() { REASON_BELOW.into() } else { reached.join("; ").into() };
    GateVerdict { active: !reached.is_empty(), reason, mode: GateMode::Auto }
}
