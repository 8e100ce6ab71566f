//! `reservations`: what is set aside for work under way, and what became of one.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::args::ReservationsArgs;
use super::client::{ANSWER_TIMEOUT, Client};
use super::costs::{not_understood, read_amount};
use super::output::{Cell, Format, Screen, Table, Tone};
use super::{Exit, Failure};
use crate::config::Sources;

/// The columns that people see; CSV has all.
const SHOWN: &[&str] = &["reservation_id", "service", "operation", "state", "estimated_cost_usd", "expires_at", "worker"];

/// An item of the agent's answer.
#[derive(Deserialize)]
struct Item {
    reservation_id: String,
    service: String,
    operation: String,
    estimated_cost_usd: Box<RawValue>,
    state: String,
    critical: bool,
    created_at: String,
    expires_at: String,
    #[serde(default)]
    amount_usd: Option<Box<RawValue>>,
    #[serde(default)]
    reason: Option<String>,
    worker: Option<String>,
    batch_id: Option<String>,
    lead_id: Option<String>,
}

/// Runs the verb.
pub fn run(arguments: &ReservationsArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    let client = Client::new(&arguments.agent, process, ANSWER_TIMEOUT)?;
    let (answer, items) = match &arguments.id {
        Some(id) => {
            let answer = client.get_item("/reservations", id)?;
            let items = read(&answer).map(|item| vec![item])?;
            (answer, items)
        }
        None => {
            let answer = client.get("/reservations", &query(arguments))?;
            let items = read(&answer)?;
            (answer, items)
        }
    };
    let table = table(items)?;
    match arguments.output.output {
        Format::Table => table.narrowed(SHOWN).write(Format::Table, &answer, screen)?,
        format => table.write(format, &answer, screen)?,
    };
    Ok(Exit::Done)
}

fn read<'a, T: Deserialize<'a>>(answer: &'a str) -> Result<T, Failure> {
    serde_json::from_str(answer).map_err(|error| not_understood(&error.to_string()))
}

fn query(arguments: &ReservationsArgs) -> Vec<(&'static str, String)> {
    let ReservationsArgs { state, limit, after, .. } = arguments;
    let parameters = [("state", state.clone()), ("limit", limit.map(|limit| limit.to_string())), ("after", after.clone())];
    parameters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn table(items: Vec<Item>) -> Result<Table, Failure> {
    let mut table = Table::new(&[
        "reservation_id",
        "service",
        "operation",
        "state",
        "critical",
        "estimated_cost_usd",
        "amount_usd",
        "created_at",
        "expires_at",
        "worker",
        "batch_id",
        "lead_id",
        "reason",
    ]);
    let text = |text: Option<String>| Cell::text(text.unwrap_or_default());
    for item in items {
        let tone = tone_of(&item.state);
        let amount = item.amount_usd.as_deref().map(read_amount).transpose()?;
        table.push(vec![
            Cell::text(item.reservation_id),
            Cell::text(item.service),
            Cell::text(item.operation),
            Cell::toned(item.state, tone),
            Cell::text(if item.critical { "yes" } else { "no" }),
            Cell::number(read_amount(&item.estimated_cost_usd)?),
            amount.map_or(Cell::text(""), Cell::number),
            Cell::text(item.created_at),
            Cell::text(item.expires_at),
            text(item.worker),
            text(item.batch_id),
            text(item.lead_id),
            text(item.reason),
        ]);
    }
    Ok(table)
}

fn tone_of(state: &str) -> Tone {
    match state {
        "held" | "committed" => Tone::Good,
        // Somebody took money and never said what became of it.
        "expired" => Tone::Warning,
        _ => Tone::Plain,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::{Cli, Verb};
    use super::*;

    const HELD: &str = r#"{"reservation_id":"job-7","id":"job-7","service":"openai","operation":"chat",
        "estimated_cost_usd":0.05,"state":"held","critical":false,"created_at":"2026-11-22T10:00:00Z",
        "expires_at":"2026-11-22T10:01:00Z","worker":"w7","batch_id":null,"lead_id":null}"#;

    fn arguments(line: &[&str]) -> ReservationsArgs {
        match Cli::parse_from(["p", "reservations"].iter().chain(line)).verb {
            Some(Verb::Reservations(arguments)) => arguments,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_reservation_is_a_line() {
        let committed = HELD.replace("\"held\"", "\"committed\",\"amount_usd\":0.070");
        let items: Vec<Item> = read(&format!("[{HELD},{committed}]")).unwrap();
        let table = table(items).unwrap();
        assert_eq!(
            table.csv(),
            "reservation_id,service,operation,state,critical,estimated_cost_usd,amount_usd,created_at,expires_at,worker,batch_id,lead_id,reason\r\n\
             job-7,openai,chat,held,no,0.05,,2026-11-22T10:00:00Z,2026-11-22T10:01:00Z,w7,,,\r\n\
             job-7,openai,chat,committed,no,0.05,0.07,2026-11-22T10:00:00Z,2026-11-22T10:01:00Z,w7,,,\r\n"
        );
        assert!(table.narrowed(SHOWN).paint(Screen::plain()).contains("job-7"));
        assert!(read::<Vec<Item>>("{}").is_err());
    }

    #[test]
    fn only_what_was_given_is_asked_for() {
        assert_eq!(query(&arguments(&[])), []);
        assert_eq!(
            query(&arguments(&["--state", "held", "--limit", "5", "--after", "a/b"])),
            [("state", "held".to_owned()), ("limit", "5".to_owned()), ("after", "a/b".to_owned())]
        );
    }
}
