//! `reprice`: what the agent has priced, rated anew by the prices of today.
//!
//! *Invariants.* The agent does a part at a time and says where to go on; each part is done for good, and done again changes nothing.

use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use super::agent_args::{AgentArgs, OutputArgs};
use super::answer::read;
use super::client::{AgentClient, ClientError};
use super::output::{OutputFormat, Screen, note};
use super::table::{Cell, Table};
use super::token::TokenArgs;
use super::{Exit, Failure, parse};
use crate::config::Sources;
use crate::wire::RepriceAnswer;

/// How long one part may take.
const PART_TIMEOUT: Duration = Duration::from_secs(60);
/// How often a part is sent.
const TRIES_MAX: u32 = 5;
/// Between two tries, unless the agent asks for another time.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

#[derive(Args, Debug)]
pub struct RepriceArgs {
    /// First day, or a time (RFC 3339)
    #[arg(long, value_name = "DATE", value_parser = parse::day_or_time)]
    pub from: String,
    /// Last day, or a time that is not included
    #[arg(long, value_name = "DATE", value_parser = parse::day_or_time)]
    pub to: String,
    /// The model that the events name
    #[arg(long)]
    pub model: String,
    /// Only events of this service
    #[arg(long)]
    pub service: Option<String>,
    /// Tell what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub token: TokenArgs,
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs the verb.
pub fn run(arguments: &RepriceArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    let token = arguments.token.to_change(process)?;
    let client = AgentClient::new(&arguments.agent, process, PART_TIMEOUT)?;
    let mut told = Instant::now();
    let sum = add_up(
        |after| {
            let query = query(arguments, after);
            let answer = send(|| client.post_query("/reprice", &query, token.as_deref(), String::new()), thread::sleep)?;
            read(&answer)
        },
        |sum| {
            if told.elapsed() >= PROGRESS_EVERY {
                told = Instant::now();
                note(&format!("{} events so far", sum.repriced + sum.unchanged + sum.unpriced));
            }
        },
    )?;
    let json = serde_json::to_string(&sum).map_err(|error| Failure::Failed(error.to_string()))?;
    table(&sum).write(arguments.output.output, &json, screen)?;
    if arguments.dry_run && arguments.output.output == OutputFormat::Table {
        note("Nothing was changed: --dry-run");
    }
    Ok(Exit::Done)
}

fn query(arguments: &RepriceArgs, after: Option<&str>) -> Vec<(&'static str, String)> {
    let RepriceArgs { from, to, model, service, dry_run, .. } = arguments;
    let mut query = vec![("from", from.clone()), ("to", to.clone()), ("model", model.clone())];
    query.extend(service.iter().map(|service| ("service", service.clone())));
    query.extend(dry_run.then(|| ("dry_run", "true".to_owned())));
    query.extend(after.map(|after| ("after", after.to_owned())));
    query
}

/// Asks for one part after the other, and adds up what became of them.
fn add_up(
    mut part: impl FnMut(Option<&str>) -> Result<RepriceAnswer, Failure>,
    mut progress: impl FnMut(&RepriceAnswer),
) -> Result<RepriceAnswer, Failure> {
    let mut sum = part(None)?;
    while let Some(after) = sum.next.take() {
        progress(&sum);
        let RepriceAnswer { repriced, unchanged, unpriced, before_usd, after_usd, next } = part(Some(&after))?;
        sum.repriced += repriced;
        sum.unchanged += unchanged;
        sum.unpriced += unpriced;
        sum.before_usd += before_usd;
        sum.after_usd += after_usd;
        sum.next = next;
    }
    Ok(sum)
}

/// Sends a part until there is an answer that settles it: it is safe to repeat.
fn send(
    mut once: impl FnMut() -> Result<String, ClientError>,
    mut pause: impl FnMut(Duration),
) -> Result<String, ClientError> {
    for _ in 1..TRIES_MAX {
        let after = match once() {
            Err(ClientError::TryAgain { after, .. }) => after,
            Err(ClientError::AnswerLost(_)) => None,
            settled => return settled,
        };
        pause(after.unwrap_or(PAUSE).min(PAUSE_MAX));
    }
    once()
}

pub(super) fn table(sum: &RepriceAnswer) -> Table {
    let mut table = Table::new(&["reprice", "result"]);
    let mut line = |name: &str, cell: Cell| {
        table.push(vec![Cell::text(name).shown_as(name.replace("_usd", " USD")), cell]);
    };
    line("repriced", Cell::count(sum.repriced as u64));
    line("unchanged", Cell::count(sum.unchanged as u64));
    line("unpriced", Cell::count(sum.unpriced as u64));
    line("before_usd", Cell::money(sum.before_usd));
    line("after_usd", Cell::money(sum.after_usd));
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Usd;

    #[test]
    fn parts_are_added_up_until_there_are_no_more() {
        let mut asked = Vec::new();
        let sum = add_up(
            |after| {
                asked.push(after.map(str::to_owned));
                let next = ["p1", "p2"].get(asked.len() - 1).map(|next| (*next).to_owned());
                let (before_usd, after_usd) = (Usd::from_dollars(1), Usd::from_dollars(3));
                Ok(RepriceAnswer { repriced: 1, unchanged: 2, unpriced: 3, before_usd, after_usd, next })
            },
            |_| {},
        );
        let expected = RepriceAnswer {
            repriced: 3,
            unchanged: 6,
            unpriced: 9,
            before_usd: Usd::from_dollars(3),
            after_usd: Usd::from_dollars(9),
            next: None,
        };
        assert_eq!(sum.ok(), Some(expected));
        assert_eq!(asked, [None, Some("p1".to_owned()), Some("p2".to_owned())]);
    }
}
