//! `budgets`: every limit and how far it is used.

use clap::Args;

use super::agent_args::{AgentArgs, OutputArgs};
use super::answer::read;
use super::client::{ANSWER_TIMEOUT, AgentClient};
use super::output::Screen;
use super::table::{Cell, Table, Tone};
use super::watch::{self, Answer, WatchArgs};
use super::{Exit, Failure};
use crate::budget::BudgetState;
use crate::config::Sources;
use crate::wire::{BudgetItem, Word};

/// The columns that people see; CSV has all.
const SHOWN: &[&str] =
    &["name", "service", "state", "used_percent", "spent_usd", "limit_usd", "remaining_usd", "forecast_usd", "exhausted_at"];
/// What a narrow screen goes without: the name of a budget tells of its service, and the state of the rest.
const DROPPED_FIRST: &[&str] = &["service", "exhausted_at", "forecast_usd", "remaining_usd"];

#[derive(Args, Debug)]
pub struct BudgetsArgs {
    #[command(flatten)]
    pub watch: WatchArgs,
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs the verb.
pub fn run(arguments: &BudgetsArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    let client = AgentClient::new(&arguments.agent, process, ANSWER_TIMEOUT)?;
    watch::show(&arguments.watch, arguments.output.output, client, screen, |client| {
        let json = client.get("/budgets", &[])?;
        Ok(Answer { table: table(read(&json)?), json })
    })
}

pub(super) fn table(items: Vec<BudgetItem>) -> Table {
    let mut table = Table::new(&[
        "name",
        "service",
        "period",
        "state",
        "used_percent",
        "spent_usd",
        "reserved_usd",
        "limit_usd",
        "remaining_usd",
        "forecast_usd",
        "exhausted_at",
        "period_end",
    ])
    .for_people(SHOWN, DROPPED_FIRST);
    for item in items {
        table.push(vec![
            Cell::name(item.name),
            Cell::optional(item.service, |service| Cell::name(service.as_str())),
            Cell::text(item.period.as_str()),
            Cell::toned(item.state.as_str(), tone_of(&item.state)),
            Cell::percent(item.utilization_percent),
            Cell::optional(item.spent_usd, Cell::money),
            Cell::optional(item.reserved_usd, Cell::money),
            Cell::optional(item.limit_usd, Cell::money),
            Cell::optional(item.remaining_usd, Cell::money),
            Cell::optional(item.forecast_usd, Cell::money),
            Cell::optional(item.exhausted_at, Cell::time),
            Cell::optional(item.period_end, Cell::time),
        ]);
    }
    table
}

fn tone_of(state: &Word<BudgetState>) -> Tone {
    match state.known() {
        Some(BudgetState::Ok) => Tone::Good,
        Some(BudgetState::Warning) => Tone::Warning,
        Some(BudgetState::Critical | BudgetState::Exhausted) => Tone::Bad,
        None => Tone::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_line() {
        let answer = r#"[{"name":"daily","service":null,"period":"daily","limit_usd":50,"spent_usd":45.1,"reserved_usd":0,
            "remaining_usd":4.9,"utilization_percent":90.2,"state":"critical","period_start":"2026-11-22T00:00:00Z",
            "period_end":"2026-11-23T00:00:00Z","forecast_usd":108.24,"exhausted_at":"2026-11-22T11:05:15Z"}]"#;
        let table = table(read(answer).unwrap());
        assert_eq!(
            table.csv().unwrap(),
            "name,service,period,state,used_percent,spent_usd,reserved_usd,limit_usd,remaining_usd,forecast_usd,exhausted_at,period_end\r\n\
             daily,,daily,critical,90.2,45.1,0,50,4.9,108.24,2026-11-22T11:05:15Z,2026-11-23T00:00:00Z\r\n"
        );
        assert!(read::<Vec<BudgetItem>>("{}").is_err());
    }
}
