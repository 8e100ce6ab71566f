//! The scaling gate: whether work that is not critical must stop.

use super::{Policy, Standing};
use crate::domain::GateMode;

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
    pub reason: String,
    /// What the gate follows.
    pub mode: GateMode,
}

/// The one rule of the gate: active while the utilization of any global budget is at or above its gate threshold.
pub fn judge(policy: &Policy, standings: &[Standing]) -> GateVerdict {
    if !policy.gate_enabled {
        return GateVerdict { active: false, reason: REASON_DISABLED.into(), mode: GateMode::Disabled };
    }
    let reached: Vec<String> = standings
        .iter()
        .filter(|standing| standing.service.is_none() && standing.gate_at.reached(standing.spent_usd, standing.limit_usd))
        .map(|standing| {
            format!(
                "Budget {} is at {}% ({} of {} USD), at or above its gate threshold of {}%",
                standing.name,
                standing.utilization_percent,
                standing.spent_usd,
                standing.limit_usd,
                standing.gate_at.percent()
            )
        })
        .collect();
    let reason = if reached.is_empty() { REASON_BELOW.into() } else { reached.join("; ") };
    GateVerdict { active: !reached.is_empty(), reason, mode: GateMode::Auto }
}
