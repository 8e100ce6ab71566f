//! `fleet forget`: writes off what an agent that is gone had in hand.
//!
//! *Invariants.* Nothing of an agent that is connected is written off, whoever says so. Somebody at a terminal is told how much it is first.

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use clap::Args;

use super::super::output::{note, print_line, printable};
use super::super::table::people;
use super::super::{Exit, Failure};
use super::database::DatabaseArgs;
use crate::config::Sources;
use crate::domain::Usd;
use crate::fleet::{self, DatabaseUrl, FleetError, Forgotten, GONE_AFTER};

/// Between two looks whether an agent is heard of.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 64;

#[derive(Args, Debug)]
pub struct ForgetArgs {
    /// The ledger's id, as fleet status shows it
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    ledger: String,
    /// Do it without asking, as a program without a terminal does
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// Runs the verb.
pub fn run(arguments: &ForgetArgs, process: Sources) -> Result<Exit, Failure> {
    let ForgetArgs { ledger, yes, database } = arguments;
    let database = database.find(process)?;
    let unknown = || {
        let hint = "lead-factory-metrics fleet status shows the ids";
        Failure::Failed(format!("the fleet has no ledger {:?}: {hint}", printable(ledger)))
    };
    let doubt = database.wait(once_clear(&database.url, ledger))?.ok_or_else(unknown)?;
    let name = name(&doubt, ledger);
    if !doubt.is_gone && doubt.freed == Usd::ZERO {
        return Err(Failure::Failed(format!("{name} is there and takes part: stop it first. Nothing was written off")));
    }
    // A program that says it means it.
    let is_asked = !yes && io::stdin().is_terminal() && io::stderr().is_terminal();
    if is_asked && !agrees(&question(&doubt, ledger))? {
        return Err(Failure::Failed("nothing was written off".to_owned()));
    }
    let done = database.wait(fleet::forget(&database.url, ledger))?.ok_or_else(unknown)?;
    print_line(&told(&done, ledger))?;
    Ok(Exit::Done)
}

/// What is in doubt of a ledger, once it is clear whether its agent is gone: it is heard of anew, or silent for long enough.
async fn once_clear(url: &DatabaseUrl, ledger: &str) -> Result<Option<Forgotten>, FleetError> {
    let Some(mut seen) = fleet::in_doubt(url, ledger).await? else { return Ok(None) };
    if !seen.is_gone {
        let (ago, after) = (seen.silent_for.as_secs(), GONE_AFTER.as_secs());
        note(&format!("{} was heard of {ago} s ago: waiting whether it stays silent for {after} s", name(&seen, ledger)));
    }
    while !seen.is_gone {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(newer) = fleet::in_doubt(url, ledger).await? else { return Ok(None) };
        let is_there = newer.silent_for < seen.silent_for;
        seen = newer;
        if is_there {
            break;
        }
    }
    Ok(Some(seen))
}

/// What will be done, and why somebody may not want it.
fn question(doubt: &Forgotten, ledger: &str) -> String {
    let (name, usd) = (name(doubt, ledger), people::money(doubt.freed));
    if doubt.is_gone {
        format!(
            "{name} is silent. It had {usd} USD in hand and held, which others may use once it is written off; what it spent stays \
             counted. If it still runs, cut off from the database, it may spend that all the same. Write it off? [y/N] "
        )
    } else {
        format!(
            "{name} takes part. Another place of its ledger had {usd} USD in hand of which nobody knows what became; others may use it \
             once it is written off. Write it off? [y/N] "
        )
    }
}

fn told(done: &Forgotten, ledger: &str) -> String {
    let (name, usd) = (name(done, ledger), people::money(done.freed));
    if done.is_gone {
        format!("{name} is forgotten: {usd} USD are free again, and what it spent stays counted")
    } else {
        format!("{usd} USD of {name} are free again, and it goes on")
    }
}

fn name(of: &Forgotten, ledger: &str) -> String {
    let ledger = printable(ledger);
    if of.name.is_empty() { format!("ledger {ledger}") } else { format!("{} (ledger {ledger})", printable(&of.name)) }
}

/// Asks.
fn agrees(question: &str) -> Result<bool, Failure> {
    let mut answer = String::new();
    let asked = write!(io::stderr(), "{question}").and_then(|()| io::stderr().flush());
    let read = asked.and_then(|()| io::Read::take(io::stdin().lock(), ANSWER_BYTES_MAX).read_line(&mut answer));
    read.map_err(|error| Failure::Failed(format!("cannot ask: {error}")))?;
    Ok(is_yes(&answer))
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        for (answer, agrees) in
            [("y\n", true), ("YES\n", true), ("\n", false), ("", false), ("no\n", false), ("yo\n", false)]
        {
            assert_eq!(is_yes(answer), agrees, "{answer:?}");
        }
    }

    #[test]
    fn who_is_asked_learns_how_much_and_of_whom() {
        let freed = Usd::parse("4.2").unwrap();
        let gone = Forgotten { name: "worker\u{1b}3".into(), is_gone: true, silent_for: GONE_AFTER, freed };
        let asked = question(&gone, "00c5");
        assert!(asked.starts_with("worker\u{fffd}3 (ledger 00c5) is silent. It had 4.20 USD"), "{asked}");
        assert_eq!(
            told(&gone, "00c5"),
            "worker\u{fffd}3 (ledger 00c5) is forgotten: 4.20 USD are free again, and what it spent stays counted"
        );
        let goes_on = Forgotten { name: String::new(), is_gone: false, silent_for: Duration::ZERO, freed };
        assert_eq!(told(&goes_on, "00c5"), "4.20 USD of ledger 00c5 are free again, and it goes on");
    }
}
