//! `GET /scaling-gate/status` and `/scaling-gate/history`: whether work that is not critical must stop, and when that changed.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use warp::reply::Response;

use super::State;
use super::answer;
use super::call::Call;
use super::problem::Problem;
use super::query::Query;
use crate::budget::GateVerdict;
use crate::domain::GateMode;
use crate::views::Published;

/// Lines of the history (contract, section 1).
const HISTORY_LINES_MAX: u32 = 1_000;
/// Lines when the client does not say.
const HISTORY_LINES_DEFAULT: u32 = 50;

#[derive(Serialize)]
struct Status {
    scaling_gate_active: bool,
    reason: String,
    timestamp: Timestamp,
    mode: GateMode,
    /// Since when it is like this; null while it never was otherwise.
    since: Option<Timestamp>,
    /// When an override lapses. The automatic gate has no end that is known ahead.
    expires_at: Option<Timestamp>,
    budgets: Vec<GateBudget>,
}

/// A budget that the gate follows: both numbers in percent.
#[derive(Serialize)]
struct GateBudget {
    name: String,
    utilization: f64,
    threshold: f64,
}

pub(super) async fn status(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    Query::of(&call, &[])?;
    Ok(answer::json(&status_at(&state.board.read(), state.clock.now())))
}

pub(super) async fn history(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let query = Query::of(&call, &["limit"])?;
    let limit = query.number("limit", 1..=HISTORY_LINES_MAX)?.unwrap_or(HISTORY_LINES_DEFAULT);
    let lines = state.reads.look_up(move |reader, _| reader.gate_history(limit)).await?;
    Ok(answer::json(&lines))
}

fn status_at(published: &Published, now: Timestamp) -> Status {
    let standings = published.standings(now);
    let verdict = published.gate(now);
    let since = since(published, &verdict, now);
    let budgets = standings.into_iter().filter(|standing| standing.service.is_none()).map(|standing| GateBudget {
        threshold: standing.gate_at.percent(),
        utilization: standing.utilization_percent,
        name: standing.name,
    });
    Status {
        since,
        budgets: budgets.collect(),
        scaling_gate_active: verdict.active,
        reason: verdict.reason,
        mode: verdict.mode,
        timestamp: now,
        expires_at: None,
    }
}

/// The time of the change that led here. A verdict that differs from the newest line came about just now: a period ended, and
/// the writer has not yet written that down.
fn since(published: &Published, verdict: &GateVerdict, now: Timestamp) -> Option<Timestamp> {
    match &published.views.gate {
        Some(change) if change.active == verdict.active && change.mode == verdict.mode => Some(change.timestamp),
        Some(_) => Some(now),
        None => verdict.active.then_some(now),
    }
}
