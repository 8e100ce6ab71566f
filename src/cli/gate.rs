//! `gate`: whether work that is not critical must stop, when that changed, whether one piece of work may be paid for, and the word
//! of an operator.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::budgets::percent;
use super::client::{ANSWER_TIMEOUT, Client};
use super::costs::{not_understood, read_amount};
use super::gate_args::{CheckArgs, GateArgs, GateVerb, OrderArgs};
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

/// The agent's answer to a check.
#[derive(Deserialize)]
struct Checked {
    allowed: bool,
    reason: String,
    #[serde(default)]
    budget: Option<String>,
    #[serde(default)]
    remaining_usd: Option<Box<RawValue>>,
    #[serde(default)]
    period_end: Option<String>,
}

/// The body of `PUT /scaling-gate`.
#[derive(Serialize)]
struct Order<'a> {
    state: &'static str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_seconds: Option<u64>,
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
        GateVerb::Check(arguments) => return check(arguments, process, screen),
        GateVerb::Activate(word) => set("active", word.expires_in, &word.order, process, screen)?,
        GateVerb::Deactivate(word) => set("inactive", word.expires_in, &word.order, process, screen)?,
        GateVerb::Auto(order) => set("auto", None, order, process, screen)?,
    }
    Ok(Exit::Done)
}

/// Asks, and ends with the answer.
fn check(arguments: &CheckArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    let optional = [("operation", &arguments.operation), ("estimated_cost_usd", &arguments.estimated_cost_usd)];
    let mut query = vec![("service", arguments.service.clone())];
    query.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    let answer = Client::new(&arguments.agent, process, ANSWER_TIMEOUT)?.get("/scaling-gate/check", &query)?;
    let (table, exit) = checked(&answer)?;
    table.write(arguments.output.output, &answer, screen)?;
    Ok(exit)
}

fn checked(answer: &str) -> Result<(Table, Exit), Failure> {
    let checked: Checked = serde_json::from_str(answer).map_err(|error| not_understood(&error.to_string()))?;
    let mut table = Table::new(&["check", "answer"]);
    let mut line = |name: &str, cell: Cell| table.push(vec![Cell::text(name), cell]);
    let (word, tone, exit) =
        if checked.allowed { ("allowed", Tone::Good, Exit::Done) } else { ("refused", Tone::Bad, Exit::Refused) };
    line("result", Cell::toned(word, tone));
    line("reason", Cell::text(checked.reason));
    if let Some(budget) = checked.budget {
        line("budget", Cell::text(budget));
    }
    if let Some(remaining) = checked.remaining_usd {
        line("remaining_usd", Cell::number(read_amount(&remaining)?));
    }
    if let Some(end) = checked.period_end {
        line("period_end", Cell::text(end));
    }
    Ok((table, exit))
}

/// Sends an operator's word, and shows the status that follows from it.
fn set(
    state: &'static str,
    expires_in_seconds: Option<u64>,
    order: &OrderArgs,
    process: &Sources,
    screen: &Screen,
) -> Result<(), Failure> {
    let body = body(state, expires_in_seconds, order, process)?;
    let token = order.token.load(process)?;
    let answer = Client::new(&order.agent, process, ANSWER_TIMEOUT)?.put("/scaling-gate", token.as_deref(), body)?;
    status(&answer)?.write(order.output.output, &answer, screen)?;
    Ok(())
}

fn body(
    state: &'static str,
    expires_in_seconds: Option<u64>,
    order: &OrderArgs,
    process: &Sources,
) -> Result<String, Failure> {
    let actor = order.actor.as_deref().or_else(|| process.variable("USER")).filter(|actor| !actor.is_empty());
    let order = Order { state, reason: &order.reason, actor, expires_in_seconds };
    serde_json::to_string(&order).map_err(|error| Failure::Failed(error.to_string()))
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
    use clap::Parser;

    use super::super::args::{Cli, Verb};
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
    fn a_refused_check_ends_with_its_own_code() {
        let refused = r#"{"allowed":false,"reason":"Budget daily has 0.25 USD left","budget":"daily","remaining_usd":0.25,
            "period_end":"2026-11-23T00:00:00Z"}"#;
        let (table, exit) = checked(refused).unwrap();
        assert_eq!(exit, Exit::Refused);
        assert_eq!(
            table.csv(),
            "check,answer\r\nresult,refused\r\nreason,Budget daily has 0.25 USD left\r\nbudget,daily\r\n\
             remaining_usd,0.25\r\nperiod_end,2026-11-23T00:00:00Z\r\n"
        );
        let (table, exit) = checked(r#"{"allowed":true,"reason":"Within budget"}"#).unwrap();
        assert_eq!((table.csv().as_str(), exit), ("check,answer\r\nresult,allowed\r\nreason,Within budget\r\n", Exit::Done));
        assert!(checked("{}").is_err());
    }

    #[test]
    fn an_order_names_who_gives_it() {
        let order = |line: &[&str]| {
            let start = ["p", "gate", "activate", "--reason", "sale"];
            match Cli::parse_from(start.iter().chain(line)).verb {
                Some(Verb::Gate(GateArgs { verb: GateVerb::Activate(word) })) => word,
                other => panic!("{other:?}"),
            }
        };
        let mut process = Sources::default();
        let written = |line: &[&str], process: &Sources| {
            let word = order(line);
            body("active", word.expires_in, &word.order, process).unwrap()
        };
        assert_eq!(written(&[], &process), r#"{"state":"active","reason":"sale"}"#);
        process.environment.insert("USER".into(), "ann".into());
        assert_eq!(written(&[], &process), r#"{"state":"active","reason":"sale","actor":"ann"}"#);
        assert_eq!(
            written(&["--actor", "ben", "--expires-in", "1h"], &process),
            r#"{"state":"active","reason":"sale","actor":"ben","expires_in_seconds":3600}"#
        );
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
