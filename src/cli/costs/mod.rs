//! `costs`: what was spent in a day, a month, and each of the last days.

pub(super) mod tables;

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use strum::IntoStaticStr;

use super::agent_args::{AgentArgs, OutputArgs};
use super::answer::read;
use super::client::{ANSWER_TIMEOUT, AgentClient};
use super::output::{OutputFormat, Screen};
use super::{Exit, Failure, watch};
use crate::config::Sources;

#[derive(Args, Debug)]
pub struct CostsArgs {
    #[command(subcommand)]
    pub period: CostsPeriod,
}

#[derive(Debug, Subcommand)]
pub enum CostsPeriod {
    /// Costs of one day
    #[command(after_help = "Examples:
  lead-factory-metrics costs daily
  lead-factory-metrics costs daily --watch
  lead-factory-metrics costs daily --date 2026-11-22 --by operation")]
    Daily {
        /// The day, YYYY-MM-DD [default: today]
        #[arg(long)]
        date: Option<String>,
        #[command(flatten)]
        view: CostsView,
    },
    /// Costs of one month
    #[command(after_help = "Examples:
  lead-factory-metrics costs monthly
  lead-factory-metrics costs monthly --month 2026-11 --by model")]
    Monthly {
        /// The month, YYYY-MM [default: this month]
        #[arg(long)]
        month: Option<String>,
        #[command(flatten)]
        view: CostsView,
    },
    /// Costs of each of the last days
    #[command(after_help = "Examples:
  lead-factory-metrics costs history
  lead-factory-metrics costs history --days 90 --service openai --output csv")]
    History {
        /// Number of days, including today [default: 30]
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=400))]
        days: Option<u16>,
        #[command(flatten)]
        view: CostsView,
    },
}

#[derive(Args, Debug)]
pub struct CostsView {
    /// Group by
    #[arg(long, value_enum, default_value = "service")]
    pub by: GroupBy,
    /// Only this service
    #[arg(long)]
    pub service: Option<String>,
    /// Refresh every SECONDS until interrupted [default without a number: 2]
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        default_missing_value = "2",
        value_parser = clap::value_parser!(u16).range(1..=3600)
    )]
    pub watch: Option<u16>,
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What costs are added up by: the word in the query and in headings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum GroupBy {
    Service,
    Operation,
    Worker,
    Batch,
    Lead,
    Model,
}

/// Runs the verb.
pub fn run(arguments: &CostsArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    let (path, parameter, view) = match &arguments.period {
        CostsPeriod::Daily { date, view } => ("/costs/daily", ("date", date.clone()), view),
        CostsPeriod::Monthly { month, view } => ("/costs/monthly", ("month", month.clone()), view),
        CostsPeriod::History { days, view } => ("/costs/history", ("days", days.map(|days| days.to_string())), view),
    };
    let query = query(parameter, view);
    let client = AgentClient::new(&view.agent, process, ANSWER_TIMEOUT)?;
    let format = view.output.output;
    let names = names(view.by);
    let pause = view.watch.map(|seconds| Duration::from_secs(seconds.into()));
    watch::repeat(pause, screen, || {
        let answer = client.get(path, &query)?;
        let table = match (&arguments.period, format) {
            (CostsPeriod::History { .. }, OutputFormat::Csv) => tables::history_lines(&read::<Vec<_>>(&answer)?, names),
            (CostsPeriod::History { .. }, _) => tables::history(&read::<Vec<_>>(&answer)?),
            _ => tables::period(&read(&answer)?, names),
        };
        table.write(format, &answer, screen)
    })
}

fn query((name, value): (&'static str, Option<String>), view: &CostsView) -> Vec<(&'static str, String)> {
    let mut query = vec![("by", <&str>::from(view.by).to_owned())];
    query.extend(value.map(|value| (name, value)));
    query.extend(view.service.clone().map(|service| ("service", service)));
    query
}

/// The headings of the columns that hold the names.
const fn names(by: GroupBy) -> &'static [&'static str] {
    match by {
        GroupBy::Service => &["service"],
        GroupBy::Operation => &["service", "operation"],
        GroupBy::Worker => &["worker"],
        GroupBy::Batch => &["batch"],
        GroupBy::Lead => &["lead"],
        GroupBy::Model => &["model"],
    }
}
