//! `prices reload`: the running agent reads its settings and prices again.

use std::time::Duration;

use clap::Args;

use super::super::agent_args::AgentArgs;
use super::super::client::AgentClient;
use super::super::output::print_line;
use super::super::token::TokenArgs;
use super::super::{Exit, Failure};
use crate::config::Sources;

/// A large file of prices is read in a second.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Args, Debug)]
pub struct ReloadArgs {
    #[command(flatten)]
    pub token: TokenArgs,
    #[command(flatten)]
    pub agent: AgentArgs,
}

/// Runs the verb.
pub fn run(arguments: &ReloadArgs, process: &Sources) -> Result<Exit, Failure> {
    let token = arguments.token.to_change(process)?;
    let client = AgentClient::new(&arguments.agent, process, RELOAD_TIMEOUT)?;
    client.post("/prices/reload", token.as_deref(), String::new())?;
    print_line("reloaded; what waits for a price is rated in the background")?;
    Ok(Exit::Done)
}
