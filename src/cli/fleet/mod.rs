//! `fleet`: the agents that share budgets and totals. How they stand and what they spent is asked of one of them; making their database ready
//! and writing off what an agent had is done at the database itself, since it is for when no agent is there, or may do it.

mod by;
mod costs;
mod database;
mod forget;
mod init;
pub(super) mod status;

use clap::{Args, Subcommand};

use super::output::Screen;
use super::{Exit, Failure};
use crate::config::Sources;

#[derive(Args, Debug)]
pub struct FleetArgs {
    #[command(subcommand)]
    verb: FleetVerb,
}

#[derive(Debug, Subcommand)]
enum FleetVerb {
    /// Show the shared budgets and the agents that share them
    #[command(after_help = "Examples:
  lead-factory-metrics fleet status
  lead-factory-metrics fleet status --watch 5
  lead-factory-metrics fleet status --url http://worker-3:8000 --output json

Exit codes: 0 done, 1 failed, for example if the agent belongs to no fleet")]
    Status(status::StatusArgs),
    /// Show what all agents together spent
    #[command(after_help = "Examples:
  lead-factory-metrics fleet costs daily
  lead-factory-metrics fleet costs monthly --by operation
  lead-factory-metrics fleet costs history --days 7 --output csv")]
    Costs(costs::CostsArgs),
    /// Make a database ready for a fleet: once, as its owner
    #[command(after_help = "Examples:
  FLEET_URL=postgres://owner@db.internal/fleet?sslmode=require lead-factory-metrics fleet init
  lead-factory-metrics fleet init --fleet-url-file /run/secrets/fleet-owner --grant lead_factory_agent

Safe to repeat. The tables are in the schema lead_factory_fleet. Exit codes: 0 done, 1 failed")]
    Init(init::InitArgs),
    /// Write off what an agent that is gone had in hand
    #[command(after_help = "Examples:
  lead-factory-metrics fleet forget 00c5a1f2e3d4b596
  lead-factory-metrics fleet forget 00c5a1f2e3d4b596 --config agent.toml --yes

What it spent stays counted. fleet status shows the ledgers' ids. Exit codes: 0 done, 1 failed or declined")]
    Forget(forget::ForgetArgs),
}

/// Runs the verb.
pub fn run(arguments: FleetArgs, process: Sources, screen: &Screen) -> Result<Exit, Failure> {
    match arguments.verb {
        FleetVerb::Status(arguments) => status::run(arguments, &process, screen),
        FleetVerb::Costs(arguments) => costs::run(arguments, &process, screen),
        FleetVerb::Init(arguments) => init::run(&arguments, process),
        FleetVerb::Forget(arguments) => forget::run(&arguments, process),
    }
}
