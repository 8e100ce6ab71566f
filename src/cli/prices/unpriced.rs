//! `prices unpriced`: what waits for a price.

use clap::Args;

use super::super::agent_args::{AgentArgs, OutputArgs};
use super::super::answer::read;
use super::super::client::{ANSWER_TIMEOUT, AgentClient};
use super::super::output::Screen;
use super::super::table::{Cell, Table};
use super::super::{Exit, Failure};
use crate::config::Sources;
use crate::wire::UnpricedItem;

#[derive(Args, Debug)]
pub struct UnpricedArgs {
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs the verb.
pub fn run(arguments: &UnpricedArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    let answer = AgentClient::new(&arguments.agent, process, ANSWER_TIMEOUT)?.get("/unpriced", &[])?;
    table(read(&answer)?).write(arguments.output.output, &answer, screen)?;
    Ok(Exit::Done)
}

/// The table of an answer.
pub fn table(items: Vec<UnpricedItem>) -> Table {
    let mut table = Table::new(&["service", "model", "usage", "events", "first", "last"])
        .for_people(&["service", "model", "events", "usage", "first", "last"], &["first", "last", "usage"]);
    for UnpricedItem { service, model, usage, events, first, last } in items {
        table.push(vec![
            Cell::name(service),
            Cell::name(model),
            Cell::text(usage.join(", ")),
            Cell::count(events),
            Cell::time(first),
            Cell::time(last),
        ]);
    }
    table
}
