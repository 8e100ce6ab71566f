//! The gate as it stands, with what led there.

use jiff::Timestamp;

use super::Published;
use crate::budget::{GateStanding, GateVerdict};
use crate::domain::{GateMode, Now};

impl Published {
    /// The gate at this instant.
    pub fn gate_standing(&self, now: Now) -> GateStanding {
        let verdict = self.gate(now);
        let global = self.standings(now).into_iter().filter(|standing| standing.is_global);
        let manual = self.views.manual(now.time).filter(|_| verdict.mode == GateMode::Manual);
        GateStanding {
            now: now.time,
            since: self.since(&verdict, now.time),
            expires_at: manual.and_then(|manual| manual.expires_at),
            budgets: global.collect(),
            verdict,
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
