//! `fleet costs`: what all agents together spent, in a day, a month, and each of the last days.

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::super::agent_args::{AgentArgs, OutputArgs};
use super::super::answer::read;
use super::super::client::{ANSWER_TIMEOUT, AgentClient};
use super::super::costs::tables;
use super::super::output::{OutputFormat, Screen};
use super::super::table::{Table, people};
use super::super::watch::{self, Answer, WatchArgs};
use super::super::{Exit, Failure, parse};
use super::by::FleetBy;
use crate::config::Sources;
use crate::wire::{CostsOfDay, FleetCosts};

#[derive(Args, Debug)]
pub struct CostsArgs {
    #[command(subcommand)]
    verb: CostsVerb,
}

#[derive(Debug, Subcommand)]
enum CostsVerb {
    /// Costs of one day
    #[command(after_help = "Examples:
  lead-factory-metrics fleet costs daily
  lead-factory-metrics fleet costs daily --date 2026-11-22 --by operation")]
    Daily {
        /// The day, YYYY-MM-DD [default: today]
        #[arg(long, value_parser = parse::day)]
        date: Option<String>,
        #[command(flatten)]
        view: CostsView,
    },
    /// Costs of one month
    #[command(after_help = "Examples:
  lead-factory-metrics fleet costs monthly
  lead-factory-metrics fleet costs monthly --month 2026-11 --output json")]
    Monthly {
        /// The month, YYYY-MM [default: this month]
        #[arg(long, value_parser = parse::month)]
        month: Option<String>,
        #[command(flatten)]
        view: CostsView,
    },
    /// Costs of each of the last days, or of each day of a range
    #[command(after_help = "Examples:
  lead-factory-metrics fleet costs history
  lead-factory-metrics fleet costs history --days 90 --output csv
  lead-factory-metrics fleet costs history --from 2026-10-01 --to 2026-10-31")]
    History {
        /// Number of days, including today [default: 30]
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=400), conflicts_with_all = ["from", "to"])]
        days: Option<u16>,
        /// First day, YYYY-MM-DD
        #[arg(long, value_name = "DATE", value_parser = parse::day)]
        from: Option<String>,
        /// Last day, YYYY-MM-DD [default: today]
        #[arg(long, value_name = "DATE", value_parser = parse::day, requires = "from")]
        to: Option<String>,
        #[command(flatten)]
        view: CostsView,
    },
}

#[derive(Args, Debug)]
struct CostsView {
    /// Group by service, or by service and operation
    #[arg(long, value_enum, default_value = "service", value_name = "WORD")]
    by: FleetBy,
    #[command(flatten)]
    watch: WatchArgs,
    #[command(flatten)]
    agent: AgentArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the verb.
pub fn run(arguments: CostsArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    let (path, given, view) = match arguments.verb {
        CostsVerb::Daily { date, view } => ("/fleet/costs/daily", vec![("date", date)], view),
        CostsVerb::Monthly { month, view } => ("/fleet/costs/monthly", vec![("month", month)], view),
        CostsVerb::History { days, from, to, view } => {
            let days = days.map(|days| days.to_string());
            ("/fleet/costs/history", vec![("days", days), ("from", from), ("to", to)], view)
        }
    };
    let CostsView { by, watch, agent, output } = view;
    let is_history = path.ends_with("history");
    let mut query: Vec<_> = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    query.push(("by", by.word().to_owned()));
    let client = AgentClient::new(&agent, process, ANSWER_TIMEOUT)?;
    let format = output.output;
    watch::show(&watch, format, client, screen, move |client| {
        let json = client.get(path, &query)?;
        let table = if is_history { history(&json, by, format)? } else { table(&json, by)? };
        Ok(Answer { table, json })
    })
}

/// Of one day or month.
fn table(json: &str, by: FleetBy) -> Result<Table, Failure> {
    let FleetCosts { costs, as_of } = read(json)?;
    Ok(with_age(tables::period(&costs, &by.headings()), as_of))
}

fn history(json: &str, by: FleetBy, format: OutputFormat) -> Result<Table, Failure> {
    let days: Vec<CostsOfDay> = read(json)?;
    // All days come of one look at the database.
    let as_of = days.iter().find_map(|day| day.as_of);
    let table = match format {
        OutputFormat::Csv => tables::history_lines(&days, &by.headings()),
        _ => tables::history(&days),
    };
    Ok(with_age(table, as_of))
}

/// Says that it is not of now, where that is so.
fn with_age(table: Table, as_of: Option<Timestamp>) -> Table {
    match as_of {
        Some(as_of) => table.under(format!("The fleet's database does not answer. As of {}:", people::time(as_of))),
        None => table,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_of_now_says_so_to_people_and_is_no_service() {
        let json = r#"{"as_of":"2026-11-29T10:00:00Z","openai":10.500000000001}"#;
        let old = table(json, FleetBy::Service).unwrap();
        assert!(
            old.paint(Screen::plain()).starts_with("The fleet's database does not answer. As of 2026-11-29 10:00:00Z:\n┌")
        );
        assert_eq!(old.csv().unwrap(), "service,cost_usd\r\nopenai,10.500000000001\r\n");
        let now = table(r#"{"openai":{"chat":1}}"#, FleetBy::Operation).unwrap();
        assert!(now.paint(Screen::plain()).starts_with('┌'));
        assert_eq!(now.csv().unwrap(), "service,operation,cost_usd\r\nopenai,chat,1\r\n");
    }

    #[test]
    fn a_history_tells_its_age_once() {
        let json = r#"[{"date":"2026-11-28","total_usd":0,"by":{},"as_of":"2026-11-29T10:00:00Z"},
            {"date":"2026-11-29","total_usd":2,"by":{"openai":2},"as_of":"2026-11-29T10:00:00Z"}]"#;
        let painted = history(json, FleetBy::Service, OutputFormat::Table).unwrap().paint(Screen::plain());
        assert_eq!(painted.matches("As of").count(), 1, "{painted}");
        let csv = history(json, FleetBy::Service, OutputFormat::Csv).unwrap().csv().unwrap();
        assert_eq!(csv, "date,service,cost_usd\r\n2026-11-28,,0\r\n2026-11-29,openai,2\r\n");
    }
}
