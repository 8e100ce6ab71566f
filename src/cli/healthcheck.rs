//! `healthcheck`: is the agent ready?

use std::time::Duration;

use clap::Args;

use super::agent_args::AgentArgs;
use super::client::{AgentClient, ClientError};
use super::output::{note, print_line};
use super::{Exit, Failure, address};
use crate::config::{self, Sources};

/// Shorter than the time that container platforms give a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Args, Debug)]
pub struct HealthcheckArgs {
    #[command(flatten)]
    pub agent: AgentArgs,
}

/// How long an agent may take that shows something else than the settings say.
const SECOND_PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs the verb.
pub fn run(arguments: &HealthcheckArgs, process: &Sources) -> Result<Exit, Failure> {
    match probe(arguments, process) {
        Ok(()) => {}
        Err(Unready::NotAsked(_)) if arguments.agent.url.is_none() && is_ready_otherwise(process) => note(
            "The agent is ready, and speaks otherwise than WEB_CONFIG_FILE says now: it has not read the file or the certificate again.",
        ),
        Err(Unready::NotAsked(failure) | Unready::Said(failure)) => return Err(failure),
    }
    print_line("ready")?;
    Ok(Exit::Done)
}

/// Why an agent is not ready as far as is known.
enum Unready {
    /// It was not asked, or not in a way that it understood.
    NotAsked(Failure),
    /// It said so.
    Said(Failure),
}

fn probe(arguments: &HealthcheckArgs, process: &Sources) -> Result<(), Unready> {
    let client = AgentClient::new(&arguments.agent, process, PROBE_TIMEOUT).map_err(Unready::NotAsked)?;
    let answer = client.get("/-/ready", &[]).map(drop);
    answer.map_err(|error| match error {
        ClientError::TryAgain { said, .. } => Unready::Said(Failure::Failed(format!("not ready: {said}"))),
        ClientError::NotReached(_) | ClientError::Refused(_) => Unready::NotAsked(error.into()),
        ClientError::AnswerLost(_) => Unready::Said(error.into()),
    })
}

/// Files that were changed or spoilt take nothing from a running agent, which goes on with what it read before. So a probe does not fail
/// over them: it asks whoever listens there, whatever certificate that shows, and sends nothing that is secret.
fn is_ready_otherwise(process: &Sources) -> bool {
    let Ok(listen) = config::load_address(process) else { return false };
    let ask = |is_tls| {
        let client = AgentClient::of_anybody(address::local(listen, is_tls)?, SECOND_PROBE_TIMEOUT)?;
        client.get("/-/ready", &[]).map_err(Failure::from)
    };
    [true, false].into_iter().any(|is_tls| ask(is_tls).is_ok())
}
