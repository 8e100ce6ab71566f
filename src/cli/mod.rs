//! The command line: one verb a file or folder, with its arguments, each a thin client of the agent's HTTP surface.
//!
//! *Invariants.* Money is added up as integers, and rounded only where people read it. JSON output is the agent's answer
//! to the letter. Every wait has a bound. No token is printed.
//!
//! *Deliberately not here.* What the agent does: `serve` is handed to the caller of [`run`].

mod address;
mod agent_args;
mod answer;
mod args;
mod budgets;
mod check_config;
mod client;
mod costs;
mod estimate;
mod exit;
mod export;
mod filter_args;
mod fleet;
mod gate;
mod guides;
mod healthcheck;
mod import;
mod order_args;
mod output;
mod overview;
mod parse;
mod password;
mod prices;
mod problem;
mod record;
mod reprice;
mod reservations;
mod settings_args;
mod signals;
mod table;
mod token;
mod top;
mod trust;
pub(crate) mod verify;
mod watch;

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches};

use crate::config::{self, Config, Sources};
use args::{Cli, CliVerb};
use output::Screen;

pub use exit::{Exit, Failure};

/// Runs what the arguments ask for.
///
/// `serve` gets the settings, and the sources to read them from again. TLS must have its provider installed before.
pub fn run<I, F>(arguments: I, process: Sources, serve: F) -> Exit
where
    I: IntoIterator<Item = OsString>,
    F: FnOnce(Config, Sources) -> Exit,
{
    let parsed = command().try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Also how clap hands over the text of --help and --version, which end well. A closed pipe needs no words.
            let _closed = error.print();
            return if error.exit_code() == 0 { Exit::Done } else { Exit::Usage };
        }
    };
    let screen = Screen::of_process(&process);
    let done = match cli.verb {
        None => return start(cli.settings.over(process), serve),
        Some(CliVerb::Serve(settings)) => return start(settings.over(process), serve),
        Some(CliVerb::CheckConfig(arguments)) => check_config::run(&arguments, process, &screen),
        Some(CliVerb::Healthcheck(arguments)) => healthcheck::run(&arguments, &process),
        Some(CliVerb::Record(arguments)) => record::run(&arguments, &process, &screen),
        Some(CliVerb::Costs(arguments)) => costs::run(*arguments, &process, &screen),
        Some(CliVerb::Budgets(arguments)) => budgets::run(arguments, &process, &screen),
        Some(CliVerb::Gate(arguments)) => gate::run(arguments, &process, &screen),
        Some(CliVerb::Reservations(arguments)) => reservations::run(arguments, &process, &screen),
        Some(CliVerb::Fleet(arguments)) => fleet::run(arguments, process, &screen),
        Some(CliVerb::Estimate(arguments)) => estimate::run(*arguments, process, &screen),
        Some(CliVerb::Prices(arguments)) => prices::run(*arguments, process, &screen),
        Some(CliVerb::Reprice(arguments)) => reprice::run(&arguments, &process, &screen),
        Some(CliVerb::Export(arguments)) => export::run(&arguments, process),
        Some(CliVerb::Import(arguments)) => import::run(&arguments, &process),
        Some(CliVerb::Verify(arguments)) => verify::run(&arguments, process, &screen),
        Some(CliVerb::Top(arguments)) => top::run(&arguments, &process, &screen),
        Some(CliVerb::Completions { shell }) => guides::completions(shell, &mut command()),
        Some(CliVerb::Man { folder }) => guides::man(folder.as_deref(), command()),
    };
    done.unwrap_or_else(|failure| failure.report())
}

/// The whole command line. Settings may follow the bare program name too, but its help names only the verbs.
fn command() -> clap::Command {
    Cli::command().mut_args(|argument| argument.hide(true))
}

fn start(sources: Sources, serve: impl FnOnce(Config, Sources) -> Exit) -> Exit {
    match config::load(&sources) {
        Ok(config) => serve(config, sources),
        Err(problems) => Failure::Settings(problems).report(),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod width_tests;
