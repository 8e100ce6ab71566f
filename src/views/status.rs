//! The gate as clients see it: the answer of `/scaling-gate/status`, and the data of a webhook's message.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;

use super::Published;
use crate::budget::GateVerdict;
use crate::domain::{GateMode, Now};

/// Whether work that is not critical must stop, and why.
#[derive(Clone, Debug, Serialize)]
pub struct GateStatus {
    /// `true`: stop work that is not critical.
    pub scaling_gate_active: bool,
    /// Why, for a person.
    pub reason: Cow<'static, str>,
    /// When this was so.
    pub timestamp: Timestamp,
    /// What the gate follows.
    pub mode: GateMode,
    /// Since when it is like this; null while it never was otherwise.
    pub since: Option<Timestamp>,
    /// When an override lapses. The automatic gate has no end that is known ahead.
    pub expires_at: Option<Timestamp>,
    /// The global budgets, which the automatic gate follows.
    pub budgets: Vec<GateBudget>,
}

/// A budget that the gate follows: both numbers in percent.
#[derive(Clone, Debug, Serialize)]
pub struct GateBudget {
    /// The budget's name.
    pub name: String,
    /// Spent ÷ limit × 100.
    pub utilization: f64,
    /// Where the gate becomes active.
    pub threshold: f64,
}

impl Published {
    /// The gate at this instant.
    pub fn gate_status(&self, now: Now) -> GateStatus {
        let verdict = self.gate(now);
        let global = self.standings(now).into_iter().filter(|standing| standing.service.is_none());
        let budgets = global.map(|standing| GateBudget {
            threshold: standing.gate_at.percent(),
            utilization: standing.utilization_percent,
            name: standing.name,
        });
        let manual = self.views.manual(now.time).filter(|_| verdict.mode == GateMode::Manual);
        GateStatus {
            since: self.since(&verdict, now.time),
            expires_at: manual.and_then(|manual| manual.expires_at),
            budgets: budgets.collect(),
            scaling_gate_active: verdict.active,
            reason: verdict.reason,
            mode: verdict.mode,
            timestamp: now.time,
        }
    }

    /// The time of the change that led here. A verdict that differs from the newest line came about just now: a period ended,
    /// and the writer has not yet written that down.
    fn since(&self, verdict: &GateVerdict, now: Timestamp) -> Option<Timestamp> {
        match &self.views.gate {
            Some(change) if change.active == verdict.active && change.mode == verdict.mode => Some(change.timestamp),
            Some(_) => Some(now),
            None => verdict.active.then_some(now),
        }
    }
}
