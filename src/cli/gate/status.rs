//! `gate status` and `gate history`.

use super::super::agent_args::{AgentArgs, OutputArgs};
use super::super::answer::read;
use super::super::client::{ANSWER_TIMEOUT, AgentClient};
use super::super::output::Screen;
use super::super::table::people::percent;
use super::super::table::{Cell, Table, Tone};
use super::super::watch::{self, Answer, WatchArgs};
use super::super::{Exit, Failure};
use crate::config::Sources;
use crate::wire::{GateLine, GateStatus};

pub fn run(
    watch: &WatchArgs,
    agent: &AgentArgs,
    output: &OutputArgs,
    process: &Sources,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let client = AgentClient::new(agent, process, ANSWER_TIMEOUT)?;
    watch::show(watch, output.output, client, screen, |client| {
        let json = client.get("/scaling-gate/status", &[])?;
        Ok(Answer { table: table(read(&json)?), json })
    })
}

pub fn history(
    limit: Option<u16>,
    agent: &AgentArgs,
    output: &OutputArgs,
    process: &Sources,
    screen: &Screen,
) -> Result<(), Failure> {
    let query: Vec<_> = limit.iter().map(|limit| ("limit", limit.to_string())).collect();
    let answer = AgentClient::new(agent, process, ANSWER_TIMEOUT)?.get("/scaling-gate/history", &query)?;
    lines(read(&answer)?).write(output.output, &answer, screen)?;
    Ok(())
}

/// Shows the agent's answer about the state.
pub fn show(answer: &str, output: &OutputArgs, screen: &Screen) -> Result<(), Failure> {
    table(read(answer)?).write(output.output, answer, screen)?;
    Ok(())
}

pub(in super::super) fn table(status: GateStatus) -> Table {
    let mut table = Table::new(&["gate", "now"]);
    let mut line = |name: &str, cell: Cell| table.push(vec![Cell::name(name), cell]);
    line("state", state(status.scaling_gate_active));
    line("reason", Cell::text(status.reason));
    if !status.mode.as_str().is_empty() {
        line("mode", Cell::text(status.mode.as_str()));
    }
    for (name, time) in [("since", status.since), ("expires", status.expires_at)] {
        if let Some(time) = time {
            line(name, Cell::time(time));
        }
    }
    for budget in status.budgets {
        let figures = format!("{} %, threshold {} %", budget.utilization, budget.threshold);
        let shown = format!("{} %, threshold {} %", percent(budget.utilization), percent(budget.threshold));
        line(&format!("budget {}", budget.name), Cell::text(figures).shown_as(shown));
    }
    line("as of", Cell::time(status.timestamp));
    table
}

pub(in super::super) fn lines(changes: Vec<GateLine>) -> Table {
    let columns = ["timestamp", "state", "mode", "actor", "reason", "token"];
    let mut shown = columns.to_vec();
    shown.retain(|column| *column != "token" || changes.iter().any(|change| change.token.is_some()));
    let mut table = Table::new(&columns).for_people(&shown, &["mode", "token"]);
    for change in changes {
        table.push(vec![
            Cell::time(change.timestamp),
            state(change.active),
            Cell::text(change.mode.as_str()),
            Cell::name(change.actor),
            Cell::text(change.reason),
            Cell::optional(change.token, Cell::name),
        ]);
    }
    table
}

fn state(active: bool) -> Cell {
    if active { Cell::toned("active", Tone::Bad) } else { Cell::toned("inactive", Tone::Good) }
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
            table(read(answer).unwrap()).csv().unwrap(),
            "gate,now\r\nstate,active\r\nreason,Budget daily is at 92%\r\nmode,auto\r\nsince,2026-11-22T09:00:00Z\r\n\
             budget daily,\"92.5 %, threshold 90 %\"\r\nas of,2026-11-22T10:00:00Z\r\n"
        );
        let least = r#"{"scaling_gate_active":false,"reason":"Below threshold","timestamp":"2026-11-22T10:00:00Z"}"#;
        assert!(table(read(least).unwrap()).csv().unwrap().contains("state,inactive\r\n"));
    }

    #[test]
    fn a_change_is_a_line() {
        let answer = r#"[{"timestamp":"2026-11-22T10:00:00Z","active":false,"reason":"a, b","mode":"auto","actor":"","token":"ops"}]"#;
        assert_eq!(
            lines(read(answer).unwrap()).csv().unwrap(),
            "timestamp,state,mode,actor,reason,token\r\n2026-11-22T10:00:00Z,inactive,auto,,\"a, b\",ops\r\n"
        );
    }
}
