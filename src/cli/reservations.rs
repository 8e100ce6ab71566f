//! `reservations`: what is set aside for work under way, and what became of one.

use clap::Args;

use super::agent_args::{AgentArgs, OutputArgs};
use super::answer::read;
use super::client::{ANSWER_TIMEOUT, AgentClient};
use super::output::Screen;
use super::table::{Cell, Table, Tone};
use super::watch::{self, Answer, WatchArgs};
use super::{Exit, Failure};
use crate::config::Sources;
use crate::domain::ReservationStage;
use crate::wire::{ReservationItem, Word};

/// The columns that people see, and `model` where there is one; CSV has all.
const SHOWN: &[&str] = &["reservation_id", "service", "operation", "state", "estimated_cost_usd", "expires_at", "worker"];
/// What a narrow screen goes without.
const DROPPED_FIRST: &[&str] = &["model", "worker", "operation", "expires_at"];

#[derive(Args, Debug)]
pub struct ReservationsArgs {
    /// Show this reservation only, even if it has ended
    #[arg(conflicts_with_all = ["state", "limit", "after"])]
    pub id: Option<String>,
    /// Show only held or only expired reservations [default: both]
    #[arg(long, value_parser = ["held", "expired"])]
    pub state: Option<String>,
    /// Maximum number of reservations, oldest first [default: 100]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: Option<u16>,
    /// Show only reservations made after this one
    #[arg(long, value_name = "ID")]
    pub after: Option<String>,
    #[command(flatten)]
    pub watch: WatchArgs,
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs the verb.
pub fn run(arguments: ReservationsArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    let client = AgentClient::new(&arguments.agent, process, ANSWER_TIMEOUT)?;
    let query = query(&arguments);
    let ReservationsArgs { id, watch, output, .. } = arguments;
    watch::show(&watch, output.output, client, screen, move |client| {
        let (json, items) = match &id {
            Some(id) => {
                let json = client.get_item("/reservations", id)?;
                let items = read(&json).map(|item| vec![item])?;
                (json, items)
            }
            None => {
                let json = client.get("/reservations", &query)?;
                let items = read(&json)?;
                (json, items)
            }
        };
        Ok(Answer { table: table(items), json })
    })
}

fn query(arguments: &ReservationsArgs) -> Vec<(&'static str, String)> {
    let ReservationsArgs { state, limit, after, .. } = arguments;
    let parameters = [("state", state.clone()), ("limit", limit.map(|limit| limit.to_string())), ("after", after.clone())];
    parameters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

pub(super) fn table(items: Vec<ReservationItem<'static>>) -> Table {
    let mut shown = SHOWN.to_vec();
    if items.iter().any(|item| item.model.is_some()) {
        shown.push("model");
    }
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
        "model",
        "usage",
    ])
    .for_people(&shown, DROPPED_FIRST);
    for item in items {
        table.push(vec![
            Cell::text(item.reservation_id),
            Cell::name(item.service.as_str()),
            Cell::name(item.operation.as_str()),
            Cell::toned(item.state.as_str(), tone_of(&item.state)),
            Cell::text(if item.critical { "yes" } else { "no" }),
            Cell::money(item.estimated_cost_usd),
            Cell::optional(item.amount_usd, Cell::money),
            Cell::time(item.created_at),
            Cell::time(item.expires_at),
            Cell::optional(item.worker, Cell::name),
            Cell::optional(item.batch_id, Cell::name),
            Cell::optional(item.lead_id, Cell::name),
            Cell::optional(item.reason, Cell::text),
            Cell::optional(item.model, Cell::name),
            Cell::usage(&item.usage),
        ]);
    }
    table
}

fn tone_of(state: &Word<ReservationStage>) -> Tone {
    match state.known() {
        Some(ReservationStage::Held | ReservationStage::Settled) => Tone::Good,
        // Somebody took money and never said what became of it.
        Some(ReservationStage::Expired) => Tone::Warning,
        Some(ReservationStage::Released) | None => Tone::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::super::agent_args::parsed;
    use super::*;

    const HELD: &str = r#"{"reservation_id":"job-7","id":"job-7","service":"openai","operation":"chat",
        "estimated_cost_usd":0.05,"state":"held","critical":false,"created_at":"2026-11-22T10:00:00Z",
        "expires_at":"2026-11-22T10:01:00Z","worker":"w7","batch_id":null,"lead_id":null}"#;

    #[test]
    fn a_reservation_is_a_line() {
        let committed = HELD.replace("\"held\"", "\"committed\",\"amount_usd\":0.070");
        let table = table(read(&format!("[{HELD},{committed}]")).unwrap());
        assert_eq!(
            table.csv().unwrap(),
            "reservation_id,service,operation,state,critical,estimated_cost_usd,amount_usd,created_at,expires_at,worker,batch_id,lead_id,reason,model,usage\r\n\
             job-7,openai,chat,held,no,0.05,,2026-11-22T10:00:00Z,2026-11-22T10:01:00Z,w7,,,,,\r\n\
             job-7,openai,chat,committed,no,0.05,0.07,2026-11-22T10:00:00Z,2026-11-22T10:01:00Z,w7,,,,,\r\n"
        );
        assert!(table.paint(Screen::plain()).contains("job-7"));
        assert!(read::<Vec<ReservationItem<'_>>>("{}").is_err());
    }

    #[test]
    fn only_what_was_given_is_asked_for() {
        assert_eq!(query(&parsed(&[])), []);
        assert_eq!(
            query(&parsed(&["--state", "held", "--limit", "5", "--after", "a/b"])),
            [("state", "held".to_owned()), ("limit", "5".to_owned()), ("after", "a/b".to_owned())]
        );
    }
}
