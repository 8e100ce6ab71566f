//! `gate check`: whether a call may be paid for. The exit code is the answer.

use clap::Args;

use super::super::agent_args::{AgentArgs, OutputArgs};
use super::super::answer::read;
use super::super::client::{ANSWER_TIMEOUT, AgentClient};
use super::super::output::Screen;
use super::super::table::{Cell, Table, Tone};
use super::super::{Exit, Failure, parse};
use crate::config::Sources;
use crate::wire::CheckAnswer;

#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The service to be paid
    #[arg(long)]
    pub service: String,
    /// The operation to be run [default: unknown]
    #[arg(long)]
    pub operation: Option<String>,
    /// Estimated cost of the call [default: 0]
    #[arg(long, value_name = "USD", value_parser = parse::amount)]
    pub estimated_cost_usd: Option<String>,
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Asks, and ends with the answer.
pub fn run(arguments: &CheckArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    let optional = [("operation", &arguments.operation), ("estimated_cost_usd", &arguments.estimated_cost_usd)];
    let mut query = vec![("service", arguments.service.clone())];
    query.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    let answer = AgentClient::new(&arguments.agent, process, ANSWER_TIMEOUT)?.get("/scaling-gate/check", &query)?;
    let (table, exit) = shown(read(&answer)?);
    table.write(arguments.output.output, &answer, screen)?;
    Ok(exit)
}

pub(in super::super) fn shown(checked: CheckAnswer) -> (Table, Exit) {
    let mut table = Table::new(&["check", "answer"]);
    let mut line = |name: &str, cell: Cell| {
        let shown = name.replace("_usd", " USD").replace('_', " ");
        table.push(vec![Cell::text(name).shown_as(shown), cell]);
    };
    let (word, tone, exit) =
        if checked.allowed { ("allowed", Tone::Good, Exit::Done) } else { ("refused", Tone::Bad, Exit::Refused) };
    line("result", Cell::toned(word, tone));
    line("reason", Cell::text(checked.reason));
    if let Some(budget) = checked.budget.flatten() {
        line("budget", Cell::name(budget));
    }
    if let Some(remaining) = checked.remaining_usd.flatten() {
        line("remaining_usd", Cell::money(remaining));
    }
    if let Some(end) = checked.period_end.flatten() {
        line("period_end", Cell::time(end));
    }
    (table, exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_check_ends_with_its_own_code() {
        let refused = r#"{"allowed":false,"reason":"Budget daily has 0.25 USD left","budget":"daily","remaining_usd":0.25,
            "period_end":"2026-11-23T00:00:00Z"}"#;
        let (table, exit) = shown(read(refused).unwrap());
        assert_eq!(exit, Exit::Refused);
        assert_eq!(
            table.csv().unwrap(),
            "check,answer\r\nresult,refused\r\nreason,Budget daily has 0.25 USD left\r\nbudget,daily\r\n\
             remaining_usd,0.25\r\nperiod_end,2026-11-23T00:00:00Z\r\n"
        );
        let (table, exit) = shown(read(r#"{"allowed":true,"reason":"Within budget"}"#).unwrap());
        let csv = table.csv().unwrap();
        assert_eq!((csv.as_str(), exit), ("check,answer\r\nresult,allowed\r\nreason,Within budget\r\n", Exit::Done));
        assert!(read::<CheckAnswer>("{}").is_err());
    }
}
