//! The scaling gate: whether work that is not critical must stop.

use std::borrow::Cow;

use jiff::Timestamp;

use super::{Account, Measure, Policy, Standing};
use crate::domain::{GateMode, GateOverride, nearest_f64_percent};

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

/// The gate at an instant, with what led there.
#[derive(Clone, Debug)]
pub struct GateStanding {
    /// What the rule says.
    pub verdict: GateVerdict,
    /// At which instant.
    pub now: Timestamp,
    /// Since when it is like this; `None` while it never was otherwise.
    pub since: Option<Timestamp>,
    /// When an override lapses. The automatic gate has no end that is known ahead.
    pub expires_at: Option<Timestamp>,
    /// The global budgets, which the automatic gate follows.
    pub budgets: Vec<Standing>,
}

/// The one rule of the gate: what the operator says while that holds, else active while the utilization of any global budget is at
/// or above its gate threshold. Of the budget at a place, which has no `each`, `is_at_gate` says whether it is in its current period,
/// and `account` where it stands.
pub fn judge(
    policy: &Policy,
    manual: Option<&GateOverride>,
    is_at_gate: impl Fn(usize) -> bool,
    account: impl Fn(usize) -> Account,
) -> GateVerdict {
    if !policy.gate_enabled {
        return GateVerdict { active: false, reason: REASON_DISABLED.into(), mode: GateMode::Disabled };
    }
    if let Some(manual) = manual {
        return GateVerdict { active: manual.active, reason: manual.reason.clone().into(), mode: GateMode::Manual };
    }
    let global = policy.budgets.iter().enumerate().filter(|(_, budget)| budget.is_global());
    let reached: Vec<String> = global
        .filter(|(position, _)| is_at_gate(*position))
        .filter_map(|(position, budget)| {
            let account = account(position);
            let unit = account.at_or_above(budget.gate_at)?;
            let measure = |parts| Measure { unit: unit.unit.clone(), parts };
            Some(format!(
                "Budget {} is at {}% ({} of {}), at or above its gate threshold of {}%",
                budget.name,
                nearest_f64_percent(unit.counted(), unit.limit),
                measure(unit.spent).digits(),
                measure(unit.limit),
                budget.gate_at.percent()
            ))
        })
        .collect();
    let reason = if reached.is_empty() { REASON_BELOW.into() } else { reached.join("; ").into() };
    GateVerdict { active: !reached.is_empty(), reason, mode: GateMode::Auto }
}
