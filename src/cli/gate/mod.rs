//! `gate`: whether work that is not critical must stop, when that changed, whether one piece of work may be paid for, and the word
//! of an operator.

pub(super) mod check;
mod order;
pub(super) mod status;

use clap::{Args, Subcommand};

use super::agent_args::{AgentArgs, OutputArgs};
use super::order_args::OrderArgs;
use super::output::Screen;
use super::watch::WatchArgs;
use super::{Exit, Failure};
use crate::config::Sources;

#[derive(Args, Debug)]
pub struct GateArgs {
    #[command(subcommand)]
    pub verb: GateVerb,
}

#[derive(Debug, Subcommand)]
pub enum GateVerb {
    /// Show whether the gate is active, and why
    #[command(after_help = "Examples:
  lead-factory-metrics gate status
  lead-factory-metrics gate status --watch
  lead-factory-metrics gate status --output json")]
    Status {
        #[command(flatten)]
        watch: WatchArgs,
        #[command(flatten)]
        agent: AgentArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Ask whether a call may be paid for now; reserves nothing
    #[command(after_help = "Examples:
  lead-factory-metrics gate check --service openai
  lead-factory-metrics gate check --service openai --estimated-cost-usd 0.05 || exit
  lead-factory-metrics gate check --service openai --lead acme --model gpt-4o --usage output_tokens=1000

Exit codes: 0 allowed, 3 refused, 1 no usable answer from the agent")]
    Check(Box<check::CheckArgs>),
    /// Stop non-critical work, whatever the budgets say
    #[command(after_help = "Examples:
  lead-factory-metrics gate activate --reason 'provider is double billing'
  lead-factory-metrics gate activate --reason 'night' --expires-in 8h --actor ann

Exit codes: 0 done, 1 failed")]
    Activate(order::OverrideArgs),
    /// Let work continue, whatever the budgets say
    #[command(after_help = "Examples:
  lead-factory-metrics gate deactivate --reason 'the launch must not stop' --expires-in 90m

Exit codes: 0 done, 1 failed")]
    Deactivate(order::OverrideArgs),
    /// Follow the budgets again
    #[command(after_help = "Examples:
  lead-factory-metrics gate auto --reason 'provider fixed its billing'

Exit codes: 0 done, 1 failed")]
    Auto(OrderArgs),
    /// List changes of the gate, newest first
    #[command(after_help = "Examples:
  lead-factory-metrics gate history
  lead-factory-metrics gate history --limit 10 --output csv")]
    History {
        /// Maximum number of changes [default: 50]
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: Option<u16>,
        #[command(flatten)]
        agent: AgentArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
}

/// Runs the verb.
pub fn run(arguments: GateArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    match arguments.verb {
        GateVerb::Status { watch, agent, output } => return status::run(&watch, &agent, &output, process, screen),
        GateVerb::History { limit, agent, output } => status::history(limit, &agent, &output, process, screen)?,
        GateVerb::Check(arguments) => return check::run(&arguments, process, screen),
        GateVerb::Activate(word) => order::give("active", word.expires_in, &word.order, process, screen)?,
        GateVerb::Deactivate(word) => order::give("inactive", word.expires_in, &word.order, process, screen)?,
        GateVerb::Auto(order) => order::give("auto", None, &order, process, screen)?,
    }
    Ok(Exit::Done)
}
