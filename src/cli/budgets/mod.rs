//! `budgets`: every limit and how far it is used, setting one in place of that of the settings, and who did that when.

pub(super) mod history;
mod set;
pub(super) mod show;

use clap::{Args, Subcommand};

use super::output::Screen;
use super::{Exit, Failure};
use crate::config::Sources;

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BudgetsArgs {
    #[command(subcommand)]
    pub verb: Option<BudgetsVerb>,
    #[command(flatten)]
    pub show: show::ShowArgs,
}

#[derive(Debug, Subcommand)]
pub enum BudgetsVerb {
    /// Set a limit in place of that of the configuration
    #[command(after_help = "Examples:
  lead-factory-metrics budgets set daily --limit-usd 80 --reason 'the launch is tonight' --expires-in 8h
  lead-factory-metrics budgets set tokens --limit-usage input_tokens=5000000 --reason 'backfill'

Exit codes: 0 done, 1 failed, for example if there is no such budget")]
    Set(Box<set::SetArgs>),
    /// Return to the limit of the configuration
    #[command(after_help = "Examples:
  lead-factory-metrics budgets clear daily --reason 'the launch is over'

Exit codes: 0 done, 1 failed, for example if there is no such budget")]
    Clear(Box<set::ClearArgs>),
    /// List limits that were set, newest first
    #[command(after_help = "Examples:
  lead-factory-metrics budgets history
  lead-factory-metrics budgets history --limit 10 --output csv")]
    History(history::HistoryArgs),
}

/// Runs the verb.
pub fn run(arguments: BudgetsArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    match arguments.verb {
        None => return show::run(arguments.show, process, screen),
        Some(BudgetsVerb::Set(arguments)) => set::set(&arguments, process, screen)?,
        Some(BudgetsVerb::Clear(arguments)) => set::clear(&arguments, process, screen)?,
        Some(BudgetsVerb::History(arguments)) => history::run(&arguments, process, screen)?,
    }
    Ok(Exit::Done)
}
