//! `record`: one event, sent until it is known to be recorded.
//!
//! *Invariants.* Every event is sent under an id, made here when none is given, so sending it again never counts twice. When it
//! stays unknown whether it was recorded, the id is told, to be sent again by hand.
//!
//! *Limits.* [`TRIES_MAX`] tries, [`PAUSE_MAX`] between two of them.

use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::args::RecordArgs;
use super::client::{Client, ClientError};
use super::costs::not_understood;
use super::output::{Cell, Screen, Table, note, print_line};
use super::{Exit, Failure};
use crate::clock::Clock;
use crate::config::Sources;
use crate::domain::Usd;

/// How often an event is sent.
pub const TRIES_MAX: u32 = 5;
/// The first pause; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
/// The longest pause, also where the agent asks for more.
pub const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long one try may take.
const TRY_TIMEOUT: Duration = Duration::from_secs(15);

/// The body of `POST /costs`. The amount goes as the text that was given: the agent reads its digits.
#[derive(Serialize)]
struct Event<'a> {
    service: &'a str,
    amount_usd: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lead_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    usage: serde_json::Map<String, serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Answer {
    accepted: u64,
    duplicates: u64,
}

/// Runs the verb.
pub fn run(arguments: &RecordArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    let id = arguments.id.clone().unwrap_or_else(|| new_id(&Clock::System));
    let body = body(arguments, &id)?;
    let token = arguments.token.load(process)?;
    let client = Client::new(&arguments.agent, process, TRY_TIMEOUT)?;
    let answer = send(|| client.post("/costs", token.as_deref(), body.clone()), thread::sleep)
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
            "{said}\nit is not known whether the event was recorded; the same command with --id {id:?} counts it once"
        )),
        failure => failure,
    }
}

fn show(arguments: &RecordArgs, id: &str, answer: &str, screen: &Screen) -> Result<bool, Failure> {
    use super::output::Format;
    let counts: Answer = serde_json::from_str(answer).map_err(|error| not_understood(&error.to_string()))?;
    let word = if counts.duplicates > 0 { "duplicate" } else { "accepted" };
    match arguments.output.output {
        Format::Table if counts.accepted > 0 => print_line(&format!("accepted {}", super::output::printable(id))),
        Format::Table => print_line(&format!("duplicate {}: it was counted before", super::output::printable(id))),
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

fn body(arguments: &RecordArgs, id: &str) -> Result<String, Failure> {
    let mut usage = serde_json::Map::new();
    for (name, count) in &arguments.usage {
        if usage.insert(name.clone(), (*count).into()).is_some() {
            return Err(Failure::Usage(format!("--usage names {name:?} twice")));
        }
    }
    let event = Event {
        service: &arguments.service,
        amount_usd: &arguments.amount_usd,
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

/// Checks an amount and keeps its digits.
pub fn parse_amount(text: &str) -> Result<String, String> {
    Usd::parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// Reads `name=count`.
pub fn parse_usage(text: &str) -> Result<(String, u64), String> {
    let wrong = || "is not NAME=COUNT, such as input_tokens=1000".to_owned();
    let (name, count) = text.rsplit_once('=').ok_or_else(wrong)?;
    let digits = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    if name.is_empty() || !digits {
        return Err(wrong());
    }
    Ok((name.to_owned(), count.parse().map_err(|_| wrong())?))
}

/// Reads a duration.
pub fn parse_seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(seconds),
        _ => Err("is not a number of seconds, zero or more".into()),
    }
}

/// Reads a JSON object and keeps its text.
pub fn parse_attributes(text: &str) -> Result<Box<RawValue>, String> {
    let value: Box<RawValue> = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
    if value.get().starts_with('{') { Ok(value) } else { Err("is not a JSON object".into()) }
}

#[cfg(test)]
mod tests;
