//! What every verb takes that gives an order: why, and who says so.

use clap::Args;

use super::agent_args::{AgentArgs, OutputArgs};
use super::token::TokenArgs;
use crate::config::Sources;

#[derive(Args, Debug)]
pub struct OrderArgs {
    /// Why; kept in the history
    #[arg(long)]
    pub reason: String,
    /// Who decided [default: $USER]
    #[arg(long)]
    pub actor: Option<String>,
    #[command(flatten)]
    pub token: TokenArgs,
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

impl OrderArgs {
    /// Who decided, if that is known.
    pub fn actor<'a>(&'a self, process: &'a Sources) -> Option<&'a str> {
        self.actor.as_deref().or_else(|| process.variable("USER")).filter(|actor| !actor.is_empty())
    }
}
