//! `healthcheck`: is the agent ready?

use std::time::Duration;

use clap::Args;

use super::agent_args::AgentArgs;
use super::client::{AgentClient, ClientError};
use super::output::print_line;
use super::{Exit, Failure};
use crate::config::Sources;

/// Shorter than the time that container platforms give a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Args, Debug)]
pub struct HealthcheckArgs {
    #[command(flatten)]
    pub agent: AgentArgs,
}

/// Runs the verb.
pub fn run(arguments: &HealthcheckArgs, process: &Sources) -> Result<Exit, Failure> {
    AgentClient::new(&arguments.agent, process, PROBE_TIMEOUT)?.get("/-/ready", &[]).map_err(|error| match error {
        ClientError::TryAgain { said, .. } => Failure::Failed(format!("not ready: {said}")),
        error => error.into(),
    })?;
    print_line("ready")?;
    Ok(Exit::Done)
}
