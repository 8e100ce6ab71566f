//! `budgets`: every limit and how far it is used.

use clap::Args;

use super::agent_args::{AgentArgs, OutputArgs};
use super::answer::{percent, read};
use super::client::{ANSWER_TIMEOUT, AgentClient};
use super::output::{OutputFormat, Screen};
use super::table::{Cell, Table, Tone};
use super::{Exit, Failure};
use crate::budget::BudgetState;
use crate::config::Sources;
use crate::wire::{BudgetItem, Word};

/// The columns that people see; CSV has all.
const SHOWN: &[&str] =
    &["name", "service", "state", "used_percent", "spent_usd", "limit_usd", "remaining_usd", "forecast_usd", "exhausted_at"];

#[derive(Args, Debug)]
pub struct BudgetsArgs {
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs the verb.
pub fn run(arguments: &BudgetsArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    let answer = AgentClient::new(&arguments.agent, process, ANSWER_TIMEOUT)?.get("/budgets", &[])?;
    let table = table(read(&answer)?);
    match arguments.output.output {
        OutputFormat::Table => table.narrowed(SHOWN).write(OutputFormat::Table, &answer, screen)?,
        format => table.write(format, &answer, screen)?,
    };
    Ok(Exit::Done)
}

fn table(items: Vec<BudgetItem>) -> Table {
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
    ]);
    for item in items {
        table.push(vec![
            Cell::text(item.name),
            Cell::text(item.service.map(|service| service.to_string()).unwrap_or_default()),
            Cell::text(item.period.as_str()),
            Cell::toned(item.state.as_str(), tone_of(&item.state)),
            Cell::number(percent(item.utilization_percent)),
            Cell::number(item.spent_usd),
            Cell::number(item.reserved_usd),
            Cell::number(item.limit_usd),
            Cell::number(item.remaining_usd),
            Cell::number(item.forecast_usd),
            Cell::optional(item.exhausted_at),
            Cell::text(item.period_end.to_string()),
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
        let painted = table.narrowed(SHOWN).paint(Screen::plain());
        assert_eq!(
            painted,
            "\
┌───────┬─────────┬──────────┬──────────────┬───────────┬───────────┬───────────────┬──────────────┬──────────────────────┐
│ NAME  ┆ SERVICE ┆ STATE    ┆ USED PERCENT ┆ SPENT USD ┆ LIMIT USD ┆ REMAINING USD ┆ FORECAST USD ┆ EXHAUSTED AT         │
╞═══════╪═════════╪══════════╪══════════════╪═══════════╪═══════════╪═══════════════╪══════════════╪══════════════════════╡
│ daily ┆         ┆ critical ┆         90.2 ┆      45.1 ┆        50 ┆           4.9 ┆       108.24 ┆ 2026-11-22T11:05:15Z │
└───────┴─────────┴──────────┴──────────────┴───────────┴───────────┴───────────────┴──────────────┴──────────────────────┘
"
        );
        assert!(read::<Vec<BudgetItem>>("{}").is_err());
    }
}
