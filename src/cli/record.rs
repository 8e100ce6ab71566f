//! `record`: one event, sent until it is known to be recorded.
//!
//! *Invariants.* Every event is sent under an id, made here when none is given, so sending it again never counts twice. When it
//! stays unknown whether it was recorded, the id is told, to be sent again by hand.
//!
//! *Limits.* [`TRIES_MAX`] tries, [`PAUSE_MAX`] between two of them.

use std::thread;
use std::time::Duration;

use clap::Args;
use serde_json::value::RawValue;

use super::agent_args::{AgentArgs, OutputArgs};
use super::answer::read;
use super::client::{AgentClient, ClientError};
use super::output::{OutputFormat, Screen, note, print_line, printable};
use super::table::{Cell, Table};
use super::token::TokenArgs;
use super::{Exit, Failure, parse};
use crate::clock::Clock;
use crate::config::Sources;
use crate::domain::{Quantity, REVISION_MAX};
use crate::wire::{BatchAnswer, EventBody, PricedItem};

/// How often an event is sent.
pub const TRIES_MAX: u32 = 5;
/// The first pause; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
/// The longest pause, also where the agent asks for more.
pub const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long one try may take.
const TRY_TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Args, Debug)]
pub struct RecordArgs {
    /// The paid service
    #[arg(long)]
    pub service: String,
    /// Cost; zero or less for a credit [default: by the agent's prices for --model and --usage]
    #[arg(long, value_name = "USD", allow_hyphen_values = true, value_parser = parse::amount, required_unless_present_all = ["model", "usage"])]
    pub amount_usd: Option<String>,
    /// The operation that was run [default: unknown]
    #[arg(long)]
    pub operation: Option<String>,
    /// Idempotency key: events with the same id count once [default: a new UUIDv7]
    #[arg(long)]
    pub id: Option<String>,
    /// Issuer of the id; ids are unique within a source
    #[arg(long)]
    pub source: Option<String>,
    /// Time of the call, RFC 3339 with offset [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse::time)]
    pub time: Option<String>,
    /// Kind of event [default: charge]
    #[arg(long, value_parser = ["charge", "credit"])]
    pub kind: Option<String>,
    /// Worker that made the call
    #[arg(long)]
    pub worker: Option<String>,
    /// Batch the call belongs to
    #[arg(long, alias = "batch")]
    pub batch_id: Option<String>,
    /// Lead the call was made for
    #[arg(long, alias = "lead")]
    pub lead_id: Option<String>,
    /// Model or tier used
    #[arg(long)]
    pub model: Option<String>,
    /// Usage, such as input_tokens=1000 or audio_seconds=521.5; repeatable
    #[arg(long, value_name = "NAME=QUANTITY", value_parser = parse::usage)]
    pub usage: Vec<(String, Quantity)>,
    /// Duration of the call
    #[arg(long, value_name = "SECONDS", value_parser = parse::duration_seconds)]
    pub duration_seconds: Option<f64>,
    /// Outcome of the call [default: ok]
    #[arg(long, value_parser = ["ok", "error"])]
    pub outcome: Option<String>,
    /// Any other data, as a JSON object
    #[arg(long, value_name = "JSON", value_parser = parse::attributes)]
    pub attributes: Option<Box<RawValue>>,
    /// Revision; a higher one replaces what the id was recorded with [default: 0]
    #[arg(long, value_name = "NUMBER", requires = "id", value_parser = clap::value_parser!(u32).range(..=i64::from(REVISION_MAX)))]
    pub revision: Option<u32>,
    #[command(flatten)]
    pub token: TokenArgs,
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs the verb.
pub fn run(arguments: &RecordArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    let id = arguments.id.clone().unwrap_or_else(|| new_id(&Clock::System));
    let body = body(arguments, &id)?;
    let token = arguments.token.to_record(process)?;
    let client = AgentClient::new(&arguments.agent, process, TRY_TIMEOUT)?;
    let query = if arguments.amount_usd.is_some() { vec![] } else { vec![("verbose", "true".to_owned())] };
    let answer = send(|| client.post_query("/costs", &query, token.as_deref(), body.clone()), thread::sleep)
        .map_err(|error| with_id(error, &id))?;
    show(arguments, &id, &answer, screen)?;
    Ok(Exit::Done)
}

/// Sends until there is an answer that settles it.
fn send(
    mut once: impl FnMut() -> Result<String, ClientError>,
    mut pause: impl FnMut(Duration),
) -> Result<String, ClientError> {
    let mut wait = PAUSE_FIRST;
    for _ in 1..TRIES_MAX {
        let after = match once() {
            Err(ClientError::TryAgain { after, .. }) => after,
            Err(ClientError::AnswerLost(_)) => None,
            settled => return settled,
        };
        pause(after.unwrap_or(wait).max(wait).min(PAUSE_MAX));
        wait *= 2;
    }
    once()
}

/// What to do when it is not known whether the event was recorded.
fn with_id(error: ClientError, id: &str) -> Failure {
    let unknown = matches!(error, ClientError::AnswerLost(_) | ClientError::TryAgain { .. });
    match Failure::from(error) {
        Failure::Failed(said) if unknown => Failure::Failed(format!(
            "{said}\nThe event may or may not have been recorded. Run the same command with --id {id:?}: it counts once."
        )),
        failure => failure,
    }
}

fn show(arguments: &RecordArgs, id: &str, answer: &str, screen: &Screen) -> Result<bool, Failure> {
    let counts: BatchAnswer<'_> = read(answer)?;
    let word = match counts {
        BatchAnswer { accepted: 1.., .. } => "accepted",
        BatchAnswer { revised: 1.., .. } => "revised",
        _ => "duplicate",
    };
    match arguments.output.output {
        OutputFormat::Table if word != "duplicate" => print_line(&format!("{word} {}{}", printable(id), cost(&counts))),
        OutputFormat::Table => print_line(&format!("duplicate {}: already counted", printable(id))),
        format => {
            if arguments.id.is_none() {
                note(&format!("id {id}"));
            }
            let mut table = Table::new(&["id", "result"]);
            table.push(vec![Cell::text(id), Cell::text(word)]);
            table.write(format, answer, screen)
        }
    }
}

/// What the agent made of an event without an amount.
fn cost(answer: &BatchAnswer<'_>) -> String {
    let priced = answer.priced.as_deref().and_then(<[_]>::first);
    if let Some(PricedItem { amount_usd, price, .. }) = priced {
        return format!(": {amount_usd} USD by {}", printable(&price.name));
    }
    let is_unpriced = answer.unpriced.as_ref().is_some_and(|unpriced| !unpriced.is_empty());
    if is_unpriced { ": no price yet, so it counts 0 USD until there is one".to_owned() } else { String::new() }
}

fn body(arguments: &RecordArgs, id: &str) -> Result<String, Failure> {
    let usage = parse::usage_by_name(&arguments.usage, "--usage")?;
    let event = EventBody {
        service: &arguments.service,
        amount_usd: arguments.amount_usd.as_deref(),
        id,
        operation: arguments.operation.as_deref(),
        source: arguments.source.as_deref(),
        time: arguments.time.as_deref(),
        kind: arguments.kind.as_deref(),
        worker: arguments.worker.as_deref(),
        batch_id: arguments.batch_id.as_deref(),
        lead_id: arguments.lead_id.as_deref(),
        model: arguments.model.as_deref(),
        usage,
        duration_seconds: arguments.duration_seconds,
        outcome: arguments.outcome.as_deref(),
        attributes: arguments.attributes.as_deref(),
        revision: arguments.revision,
    };
    serde_json::to_string(&event).map_err(|error| Failure::Failed(error.to_string()))
}

/// A fresh UUIDv7: unique, and in the order of time, which the ledger's index likes best.
fn new_id(clock: &Clock) -> String {
    let now = clock.now();
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
    uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanoseconds)).to_string()
}

#[cfg(test)]
mod tests;
