//! `prices`: what models cost, what waits for a price, and new prices.

mod check;
mod reload;
pub(super) mod show;
pub(super) mod unpriced;
mod update;

use clap::{Args, Subcommand};

use super::output::Screen;
use super::{Exit, Failure};
use crate::config::Sources;

#[derive(Args, Debug)]
pub struct PricesArgs {
    #[command(subcommand)]
    verb: PricesVerb,
}

#[derive(Debug, Subcommand)]
enum PricesVerb {
    /// Show what a model costs by the prices of the running agent
    #[command(after_help = "Examples:
  lead-factory-metrics prices show --model gpt-4o
  lead-factory-metrics prices show --service aws --model claude-sonnet-4-5 --at 2026-11-01T00:00:00Z --output json")]
    Show(show::ShowArgs),
    /// Check a file of prices: `[[price]]` tables, LiteLLM's JSON or models.dev's
    #[command(after_help = "Examples:
  lead-factory-metrics prices check --file prices.toml")]
    Check(check::CheckArgs),
    /// Put a file of prices in the place of PRICES_FILE, and have the running agent read it
    #[command(after_help = "Examples:
  lead-factory-metrics prices update --file model_prices_and_context_window.json --config agent.toml")]
    Update(update::UpdateArgs),
    /// Have the running agent read its settings and prices again, as SIGHUP does
    #[command(after_help = "Examples:
  lead-factory-metrics prices reload
  lead-factory-metrics prices reload --url http://127.0.0.1:9000")]
    Reload(reload::ReloadArgs),
    /// Show events that wait for a price
    #[command(after_help = "Examples:
  lead-factory-metrics prices unpriced
  lead-factory-metrics prices unpriced --output csv")]
    Unpriced(unpriced::UnpricedArgs),
}

/// Runs the verb.
pub fn run(arguments: PricesArgs, process: Sources, screen: &Screen) -> Result<Exit, Failure> {
    match arguments.verb {
        PricesVerb::Show(arguments) => show::run(&arguments, &process, screen),
        PricesVerb::Check(arguments) => check::run(&arguments, process),
        PricesVerb::Update(arguments) => update::run(&arguments, process),
        PricesVerb::Reload(arguments) => reload::run(&arguments, &process),
        PricesVerb::Unpriced(arguments) => unpriced::run(&arguments, &process, screen),
    }
}
