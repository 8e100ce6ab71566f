//! `gate`: whether work that is not critical must stop, and when that changed.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::args::{GateArgs, GateVerb};
use super::budgets::percent;
use super::client::{ANSWER_TIMEOUT, Client};
use super::costs::not_understood;
use super::output::{Cell, Screen, Table, Tone};
use super::{Exit, Failure};
use crate::config::Sources;

/// The agent's answer about the state.
#[derive(Deserialize)]
struct Status {
    scaling_gate_active: bool,
    reason: String,
    timestamp: String,
    #[serde(default)]
    mode: Option<String>,
    #[serde(default)]
    since: Option<String>,
    #[serde(default)]
    expires_at: Option<String>,
    #[serde(default)]
    budgets: Vec<BudgetShare>,
}

/// A budget that the gate follows: both figures in percent.
#[derive(Deserialize)]
struct BudgetShare {
    name: String,
    utilization: Box<RawValue>,
    threshold: Box<RawValue>,
}

/// One line of the history.
#[derive(Deserialize)]
struct Change {
    timestamp: String,
    active: bool,
    reason: String,
    mode: String,
    actor: String,
}

/// Runs the verb.
pub fn run(arguments: &GateArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    match &arguments.verb {
        GateVerb::Status { agent, output } => {
            let answer = Client::new(agent, process, ANSWER_TIMEOUT)?.get("/scaling-gate/status", &[])?;
            status(&answer)?.write(output.output, &answer, screen)?;
        }
        GateVerb::History { limit, agent, output } => {
            let query: Vec<_> = limit.iter().map(|limit| ("limit", limit.to_string())).collect();
            let answer = Client::new(agent, process, ANSWER_TIMEOUT)?.get("/scaling-gate/history", &query)?;
            history(&answer)?.write(output.output, &answer, screen)?;
        }
    }
    Ok(Exit::Done)
}

fn status(answer: &str) -> Result<Table, Failure> {
    let status: Status = serde_json::from_str(answer).map_err(|error| not_understood(&error.to_string()))?;
    let mut table = Table::new(&["gate", "now"]);
    let mut line = |name: &str, cell: Cell| table.push(vec![Cell::text(name), cell]);
    line("state", state(status.scaling_gate_active));
    line("reason", Cell::text(status.reason));
    for (name, text) in [("mode", status.mode), ("since", status.since), ("expires", status.expires_at)] {
        if let Some(text) = text {
            line(name, Cell::text(text));
        }
    }
    for budget in status.budgets {
        let figures = format!("{} %, threshold {} %", percent(&budget.utilization)?, percent(&budget.threshold)?);
        line(&format!("budget {}", budget.name), Cell::text(figures));
    }
    line("as of", Cell::text(status.timestamp));
    Ok(table)
}

fn state(active: bool) -> Cell {
    if active { Cell::toned("active", Tone::Bad) } else { Cell::toned("inactive", Tone::Good) }
}

fn history(answer: &str) -> Result<Table, Failure> {
    let changes: Vec<Change> = serde_json::from_str(answer).map_err(|error| not_understood(&error.to_string()))?;
    let mut table = Table::new(&["timestamp", "state", "mode", "actor", "reason"]);
    for change in changes {
        table.push(vec![
            Cell::text(change.timestamp),
            state(change.active),
            Cell::text(change.mode),
            Cell::text(change.actor),
            Cell::text(change.reason),
        ]);
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_comes_first() {
        let answer = r#"{"scaling_gate_active":true,"reason":"Budget daily is at 92%","timestamp":"2026-11-22T10:00:00Z",
            "mode":"auto","since":"2026-11-22T09:00:00Z","expires_at":null,
            "budgets":[{"name":"daily","utilization":92.5,"threshold":90}]}"#;
        assert_eq!(
            status(answer).unwrap().csv(),
            "gate,now\r\nstate,active\r\nreason,Budget daily is at 92%\r\nmode,auto\r\nsince,2026-11-22T09:00:00Z\r\n\
             budget daily,\"92.5 %, threshold 90 %\"\r\nas of,2026-11-22T10:00:00Z\r\n"
        );
        let least = r#"{"scaling_gate_active":false,"reason":"Below threshold","timestamp":"2026-11-22T10:00:00Z"}"#;
        assert!(status(least).unwrap().csv().contains("state,inactive\r\n"));
    }

    #[test]
    fn a_change_is_a_line() {
        let answer = r#"[{"timestamp":"2026-11-22T10:00:00Z","active":false,"reason":"a, b","mode":"auto","actor":""}]"#;
        assert_eq!(
            history(answer).unwrap().csv(),
            "timestamp,state,mode,actor,reason\r\n2026-11-22T10:00:00Z,inactive,auto,,\"a, b\"\r\n"
        );
    }
}
