//! `gate check`: whether a call may be paid for. The exit code is the answer.

use clap::Args;

use super::super::agent_args::{AgentArgs, OutputArgs};
use super::super::answer::read;
use super::super::client::{ANSWER_TIMEOUT, AgentClient};
use super::super::output::Screen;
use super::super::table::{Cell, Table, Tone, people};
use super::super::{Exit, Failure, parse};
use crate::config::Sources;
use crate::domain::Quantity;
use crate::wire::CheckAnswer;

#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The service to be paid
    #[arg(long)]
    pub service: String,
    /// The operation to be run [default: unknown]
    #[arg(long)]
    pub operation: Option<String>,
    /// Worker that makes the call
    #[arg(long)]
    pub worker: Option<String>,
    /// Batch the call belongs to
    #[arg(long, alias = "batch-id")]
    pub batch: Option<String>,
    /// Lead the call is for
    #[arg(long, alias = "lead-id")]
    pub lead: Option<String>,
    /// Model to be used
    #[arg(long)]
    pub model: Option<String>,
    /// Estimated cost of the call [default: by the agent's prices for --model and --usage, else 0]
    #[arg(long, value_name = "USD", value_parser = parse::amount)]
    pub estimated_cost_usd: Option<String>,
    /// Estimated usage, such as output_tokens=1000; repeatable
    #[arg(long, value_name = "NAME=QUANTITY", value_parser = parse::usage)]
    pub usage: Vec<(String, Quantity)>,
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Asks, and ends with the answer.
pub fn run(arguments: &CheckArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    let query = query(arguments)?;
    let answer = AgentClient::new(&arguments.agent, process, ANSWER_TIMEOUT)?.get("/scaling-gate/check", &query)?;
    let (table, exit) = shown(read(&answer)?);
    table.write(arguments.output.output, &answer, screen)?;
    Ok(exit)
}

fn query(arguments: &CheckArgs) -> Result<Vec<(&'static str, String)>, Failure> {
    let usage = parse::usage_by_name(&arguments.usage, "--usage")?;
    let usage = Some(usage).filter(|usage| !usage.is_empty()).map(|usage| serde_json::to_string(&usage)).transpose();
    let usage = usage.map_err(|error| Failure::Failed(error.to_string()))?;
    let optional = [
        ("operation", &arguments.operation),
        ("worker", &arguments.worker),
        ("batch_id", &arguments.batch),
        ("lead_id", &arguments.lead),
        ("model", &arguments.model),
        ("estimated_cost_usd", &arguments.estimated_cost_usd),
        ("usage", &usage),
    ];
    let mut query = vec![("service", arguments.service.clone())];
    query.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    Ok(query)
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
    if let Some(key) = checked.key {
        line("key", Cell::name(key));
    }
    for (kind, remaining) in checked.remaining_usage.into_iter().flatten() {
        let shown = people::digits(&remaining.to_string());
        line(&format!("remaining_{kind}"), Cell::text(remaining.to_string()).shown_as(shown));
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
    use super::super::super::agent_args::parsed;
    use super::*;

    #[test]
    fn all_that_budgets_look_at_is_asked() {
        let line = "--service s --worker w --batch b --lead-id l --model m --usage output_tokens=1000 --usage pages=0.5";
        let arguments = parsed(&line.split(' ').collect::<Vec<_>>());
        let asked = query(&arguments).unwrap();
        let asked: Vec<(&str, &str)> = asked.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(
            asked,
            [
                ("service", "s"),
                ("worker", "w"),
                ("batch_id", "b"),
                ("lead_id", "l"),
                ("model", "m"),
                ("usage", r#"{"output_tokens":1000,"pages":0.5}"#)
            ]
        );
    }

    #[test]
    fn a_refusal_by_a_budget_of_usage_tells_whose_and_what_is_left() {
        let refused = r#"{"allowed":false,"reason":"no","budget":"tokens","key":"acme","remaining_usd":null,
            "remaining_usage":{"input_tokens":1234.5},"period_end":null}"#;
        let (table, exit) = shown(read(refused).unwrap());
        assert_eq!(exit, Exit::Refused);
        assert_eq!(
            table.csv().unwrap(),
            "check,answer\r\nresult,refused\r\nreason,no\r\nbudget,tokens\r\nkey,acme\r\nremaining_input_tokens,1234.5\r\n"
        );
        assert!(table.paint(Screen::plain()).contains("1,234.5"));
    }

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
