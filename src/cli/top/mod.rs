//! `top`: where the money goes, live in a terminal, and once on paper.
//!
//! Two threads ask the agent (`asker`, `ask`), one reads keys (`live`); what they hear is kept (`known`, `events`) and drawn (`draw`,
//! `panels`) whenever something changed. Every number is one of REST; only bars, shares and totals are worked out here.
//!
//! *Invariants.* However it ends, the terminal is as it was before. What an event or a budget is called steers no terminal. An agent
//! that does not answer takes nothing off the screen.
//!
//! *Limits.* Each module names its own; an answer's time is [`STANDING_TIMEOUT`], of a grouping [`ANSWER_TIMEOUT`].

mod ask;
mod asker;
mod columns;
mod draw;
mod events;
mod graph;
mod guide;
mod known;
mod live;
pub(super) mod once;
mod panel;
mod panels;
mod question;
mod text;
mod theme;
mod view;

use std::time::Duration;

use clap::Args;

use super::agent_args::AgentArgs;
use super::client::{ANSWER_TIMEOUT, AgentClient};
use super::output::Screen;
use super::{Exit, Failure};
use crate::config::Sources;
use question::{By, Period, Question};

/// How long an answer about how things stand may take: all of them come from memory, or read little of the ledger.
const STANDING_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Args, Debug)]
pub struct TopArgs {
    /// Ask the agent every SECONDS
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub interval: u16,
    /// What costs are added up by at first
    #[arg(long, value_enum, default_value_t)]
    pub by: By,
    /// Begin with the costs of this month, not of today
    #[arg(long)]
    pub month: bool,
    #[command(flatten)]
    pub agent: AgentArgs,
}

/// Runs the verb.
pub fn run(arguments: &TopArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    let client = |timeout| AgentClient::new(&arguments.agent, process, timeout);
    let (standing_client, costs_client) = (client(STANDING_TIMEOUT)?, client(ANSWER_TIMEOUT)?);
    let question = Question { by: arguments.by, period: if arguments.month { Period::Month } else { Period::Day } };
    // Before the terminal is changed: a wrong address is told where it was asked for.
    let standing = ask::standing(&standing_client).map_err(|ask::Away(why)| Failure::Failed(why))?;
    let costs = ask::costs(&costs_client, question);
    let keyboard = if screen.is_live() { live::Keyboard::take() } else { None };
    let Some(keyboard) = keyboard else {
        return once::print(standing, costs, screen);
    };
    let interval = Duration::from_secs(arguments.interval.into());
    live::run(keyboard, live::Start { standing, costs, question, interval }, [standing_client, costs_client], *screen)
}

#[cfg(test)]
mod tests;
