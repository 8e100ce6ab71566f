//! `verify`: is the ledger what was written?

use std::path::PathBuf;

use clap::Args;

use super::agent_args::OutputArgs;
use super::output::{OutputFormat, Screen};
use super::table::{Cell, Table, Tone};
use super::{Exit, Failure};
use crate::budget::Definition;
use crate::config::{self, Sources};
use crate::error_chain::ErrorChain;
use crate::ledger::{self, Counted, Counting, VerifyReport};

#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The ledger file [default: from DB_PATH or CONFIG_FILE]
    #[arg(long, value_name = "FILE", alias = "db")]
    pub db_path: Option<PathBuf>,
    /// Configuration file that names the ledger (CONFIG_FILE)
    #[arg(long, value_name = "FILE", conflicts_with = "db_path")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs the verb.
pub fn run(arguments: &VerifyArgs, process: Sources, screen: &Screen) -> Result<Exit, Failure> {
    let path = match &arguments.db_path {
        Some(path) => path.clone(),
        None => {
            let config_flag = arguments.config.clone();
            config::load(&Sources { config_flag, ..process })?.ledger.path
        }
    };
    let report =
        ledger::verify_counting(&path, &read_definition).map_err(|error| Failure::Failed(ErrorChain(&error).to_string()))?;
    let json = serde_json::to_string(&report).map_err(|error| Failure::Failed(error.to_string()))?;
    match arguments.output.output {
        OutputFormat::Csv => problems(&report).write(OutputFormat::Csv, &json, screen)?,
        format => summary(&report).write(format, &json, screen)?,
    };
    if report.problems.is_empty() { Ok(Exit::Done) } else { Ok(Exit::Failed) }
}

/// Counts anew what a budget has spent.
pub fn read_definition(text: &str) -> Option<Counting> {
    let mut definition = Definition::parse(text)?;
    Some(Box::new(move |event, entry| {
        let (span, key, amounts) = definition.count(event, entry)?;
        Some(Counted { span_start: span.start, key, amounts })
    }))
}

/// For people: what was counted, then what is wrong.
pub(super) fn summary(report: &VerifyReport) -> Table {
    let verdict = match report.problems.len() {
        0 => Cell::toned("sound", Tone::Good),
        1 => Cell::toned("1 problem", Tone::Bad),
        count => Cell::toned(format!("{count} problems"), Tone::Bad),
    };
    let last = report.last_recorded_at.map_or_else(|| Cell::text("never"), Cell::time);
    let mut table = Table::new(&["ledger", "found"]);
    table.push(vec![Cell::text("verdict"), verdict]);
    table.push(vec![Cell::text("events"), Cell::count(report.events)]);
    table.push(vec![Cell::text("events removed by retention"), Cell::count(report.events_pruned)]);
    table.push(vec![Cell::text("adjustments"), Cell::count(report.adjustments)]);
    table.push(vec![Cell::text("budgets counted again"), Cell::count(report.budgets)]);
    table.push(vec![Cell::text("last recorded"), last]);
    table.push(vec![Cell::text("total USD"), Cell::money(report.total_usd)]);
    table.push(vec![Cell::text("time zone"), Cell::text(&report.time_zone)]);
    for problem in &report.problems {
        table.push(vec![Cell::toned("problem", Tone::Bad), Cell::text(problem)]);
    }
    table
}

/// For programs: one problem a line.
pub(super) fn problems(report: &VerifyReport) -> Table {
    let mut table = Table::new(&["problem"]);
    for problem in &report.problems {
        table.push(vec![Cell::text(problem)]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Usd;

    #[test]
    fn a_report_says_the_verdict_first() {
        let mut report = VerifyReport { events: 2, total_usd: Usd::parse("10.5").unwrap(), ..VerifyReport::default() };
        assert!(summary(&report).csv().unwrap().starts_with("ledger,found\r\nverdict,sound\r\nevents,2\r\n"));
        report.problems.push("event 2 is missing".into());
        assert!(summary(&report).csv().unwrap().contains("verdict,1 problem\r\n"));
        assert_eq!(problems(&report).csv().unwrap(), "problem\r\nevent 2 is missing\r\n");
    }
}
