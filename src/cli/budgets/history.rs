//! `budgets history`: who set which limit, when and why.

use clap::Args;

use super::super::Failure;
use super::super::agent_args::{AgentArgs, OutputArgs};
use super::super::answer::read;
use super::super::client::{ANSWER_TIMEOUT, AgentClient};
use super::super::output::Screen;
use super::super::table::{Cell, Table};
use crate::config::Sources;
use crate::wire::LimitLine;

#[derive(Args, Debug)]
pub struct HistoryArgs {
    /// Maximum number of changes [default: 50]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: Option<u16>,
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

pub fn run(arguments: &HistoryArgs, process: &Sources, screen: &Screen) -> Result<(), Failure> {
    let query: Vec<_> = arguments.limit.iter().map(|limit| ("limit", limit.to_string())).collect();
    let answer = AgentClient::new(&arguments.agent, process, ANSWER_TIMEOUT)?.get("/budgets/history", &query)?;
    table(read(&answer)?).write(arguments.output.output, &answer, screen)?;
    Ok(())
}

pub(in super::super) fn table(lines: Vec<LimitLine>) -> Table {
    let columns = ["timestamp", "budget", "limit_usd", "limit_usage", "reason", "actor", "expires_at", "token"];
    let has = |of: fn(&LimitLine) -> bool| lines.iter().any(of);
    let mut shown: Vec<&'static str> = columns.to_vec();
    if !has(|line| line.limit_usage.is_some()) {
        shown.retain(|column| *column != "limit_usage");
    } else if !has(|line| line.limit_usd.is_some()) {
        shown.retain(|column| *column != "limit_usd");
    }
    if !has(|line| line.token.is_some()) {
        shown.retain(|column| *column != "token");
    }
    let mut table = Table::new(&columns).for_people(&shown, &["expires_at", "token", "actor"]);
    for line in lines {
        let lifted = || Cell::text("").shown_as("lifted".into());
        table.push(vec![
            Cell::time(line.timestamp),
            Cell::name(line.budget),
            Cell::optional(line.limit_usd, |limit| limit.map_or_else(lifted, Cell::money)),
            Cell::optional(line.limit_usage, |limit| limit.as_ref().map_or_else(lifted, Cell::usage)),
            Cell::text(line.reason),
            Cell::name(line.actor),
            Cell::optional(line.expires_at, Cell::time),
            Cell::optional(line.token, Cell::name),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lifted_has_no_limit() {
        let answer = r#"[{"budget":"daily","limit_usd":null,"reason":"over","actor":"","timestamp":"2026-11-22T11:00:00Z","expires_at":null},
            {"budget":"daily","limit_usd":80.5,"reason":"=1","actor":"ann","timestamp":"2026-11-22T10:00:00Z","expires_at":"2026-11-22T18:00:00Z","token":"ops"}]"#;
        let table = table(read(answer).unwrap());
        assert_eq!(
            table.csv().unwrap(),
            "timestamp,budget,limit_usd,limit_usage,reason,actor,expires_at,token\r\n\
             2026-11-22T11:00:00Z,daily,,,over,,,\r\n\
             2026-11-22T10:00:00Z,daily,80.5,,'=1,ann,2026-11-22T18:00:00Z,ops\r\n"
        );
        let painted = table.paint(Screen::plain());
        assert!(painted.contains("lifted") && !painted.contains("USAGE"), "{painted}");
    }
}
