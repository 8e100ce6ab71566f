//! `costs`: what was spent in a day, a month, a range of days, each of the last days, and for leads and batches.

mod question;
pub(super) mod spread;
pub(super) mod tables;

use clap::{Args, Subcommand};

use super::agent_args::{AgentArgs, OutputArgs};
use super::answer::read;
use super::client::{ANSWER_TIMEOUT, AgentClient};
use super::filter_args::FilterArgs;
use super::output::{OutputFormat, Screen};
use super::watch::{self, Answer, WatchArgs};
use super::{Exit, Failure, parse};
use crate::config::Sources;
use question::{DaysArgs, GroupBy, Question, RangeArgs};

#[derive(Args, Debug)]
pub struct CostsArgs {
    #[command(subcommand)]
    pub verb: CostsVerb,
}

#[derive(Debug, Subcommand)]
pub enum CostsVerb {
    /// Costs of one day
    #[command(after_help = "Examples:
  lead-factory-metrics costs daily
  lead-factory-metrics costs daily --watch
  lead-factory-metrics costs daily --date 2026-11-22 --by model,operation
  lead-factory-metrics costs daily --by attributes.team --service openai")]
    Daily {
        /// The day, YYYY-MM-DD [default: today]
        #[arg(long, value_parser = parse::day)]
        date: Option<String>,
        #[command(flatten)]
        view: CostsView,
    },
    /// Costs of one month
    #[command(after_help = "Examples:
  lead-factory-metrics costs monthly
  lead-factory-metrics costs monthly --month 2026-11 --by model
  lead-factory-metrics costs monthly --by worker --lead ''")]
    Monthly {
        /// The month, YYYY-MM [default: this month]
        #[arg(long, value_parser = parse::month)]
        month: Option<String>,
        #[command(flatten)]
        view: CostsView,
    },
    /// Costs of a range of days together
    #[command(after_help = "Examples:
  lead-factory-metrics costs range --from 2026-11-01 --to 2026-11-15
  lead-factory-metrics costs range --from 2026-01-01 --by service,model --output csv")]
    Range {
        #[command(flatten)]
        range: RangeArgs,
        #[command(flatten)]
        view: CostsView,
    },
    /// Costs of each of the last days, or of each day of a range
    #[command(after_help = "Examples:
  lead-factory-metrics costs history
  lead-factory-metrics costs history --days 90 --service openai --output csv
  lead-factory-metrics costs history --from 2026-10-01 --to 2026-10-31")]
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
    /// What leads cost: mean, median, 95th percentile, and the most expensive ones
    #[command(after_help = "Examples:
  lead-factory-metrics costs leads
  lead-factory-metrics costs leads --month 2026-11 --service openai
  lead-factory-metrics costs leads --from 2026-11-01 --output json")]
    Leads(SpreadArgs),
    /// The same of batches
    #[command(after_help = "Examples:
  lead-factory-metrics costs batches
  lead-factory-metrics costs batches --date 2026-11-22 --output csv")]
    Batches(SpreadArgs),
}

#[derive(Args, Debug)]
pub struct CostsView {
    /// Group by up to three of service, operation, worker, batch, lead, model and attributes.NAME, with commas between them
    #[arg(long, value_name = "WORDS", default_value = "service")]
    pub by: GroupBy,
    #[command(flatten)]
    pub filters: FilterArgs,
    #[command(flatten)]
    pub watch: WatchArgs,
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Args, Debug)]
pub struct SpreadArgs {
    #[command(flatten)]
    pub days: DaysArgs,
    #[command(flatten)]
    pub filters: FilterArgs,
    #[command(flatten)]
    pub watch: WatchArgs,
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs the verb.
pub fn run(arguments: CostsArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    match arguments.verb {
        CostsVerb::Daily { date, view } => {
            sums("/costs/daily", Question::default().with("date", date), view, process, screen)
        }
        CostsVerb::Monthly { month, view } => {
            sums("/costs/monthly", Question::default().with("month", month), view, process, screen)
        }
        CostsVerb::Range { range: RangeArgs { from, to }, view } => {
            sums("/costs", Question::default().with("from", Some(from)).with("to", to), view, process, screen)
        }
        CostsVerb::History { days, from, to, view } => {
            let days = days.map(|days| days.to_string());
            history(Question::default().with("days", days).with("from", from).with("to", to), view, process, screen)
        }
        CostsVerb::Leads(arguments) => spread::run("/costs/leads", arguments, spread::leads, process, screen),
        CostsVerb::Batches(arguments) => spread::run("/costs/batches", arguments, spread::batches, process, screen),
    }
}

fn sums(
    path: &'static str,
    question: Question,
    view: CostsView,
    process: &Sources,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let client = AgentClient::new(&view.agent, process, ANSWER_TIMEOUT)?;
    let query = question.by(&view.by).filtered(&view.filters).0;
    watch::show(&view.watch, view.output.output, client, screen, move |client| {
        let json = client.get(path, &query)?;
        let table = tables::period(&read(&json)?, &view.by.headings);
        Ok(Answer { table, json })
    })
}

fn history(question: Question, view: CostsView, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    let client = AgentClient::new(&view.agent, process, ANSWER_TIMEOUT)?;
    let query = question.by(&view.by).filtered(&view.filters).0;
    let format = view.output.output;
    watch::show(&view.watch, format, client, screen, move |client| {
        let json = client.get("/costs/history", &query)?;
        let days: Vec<_> = read(&json)?;
        let table = match format {
            OutputFormat::Csv => tables::history_lines(&days, &view.by.headings),
            _ => tables::history(&days),
        };
        Ok(Answer { table, json })
    })
}
