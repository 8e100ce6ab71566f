//! `gate activate`, `gate deactivate`, `gate auto`: the word of an operator.

use clap::Args;

use super::super::client::{ANSWER_TIMEOUT, AgentClient};
use super::super::order_args::OrderArgs;
use super::super::output::Screen;
use super::super::{Failure, parse};
use super::status;
use crate::config::Sources;
use crate::wire::SetGateBody;

#[derive(Args, Debug)]
pub struct OverrideArgs {
    /// Lapse after this time: 90s, 15m, 1h30m, 7d, or a number of seconds [default: never]
    #[arg(long, value_name = "DURATION", value_parser = parse::expires_in)]
    pub expires_in: Option<u64>,
    #[command(flatten)]
    pub order: OrderArgs,
}

/// Sends an operator's word, and shows the status that follows from it.
pub fn give(
    state: &str,
    expires_in_seconds: Option<u64>,
    order: &OrderArgs,
    process: &Sources,
    screen: &Screen,
) -> Result<(), Failure> {
    let body = body(state, expires_in_seconds, order, process)?;
    let token = order.token.to_change(process)?;
    let answer = AgentClient::new(&order.agent, process, ANSWER_TIMEOUT)?.put("/scaling-gate", token.as_deref(), body)?;
    status::show(&answer, &order.output, screen)
}

fn body(state: &str, expires_in_seconds: Option<u64>, order: &OrderArgs, process: &Sources) -> Result<String, Failure> {
    let body = SetGateBody { state, reason: &order.reason, actor: order.actor(process), expires_in_seconds };
    serde_json::to_string(&body).map_err(|error| Failure::Failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::super::agent_args::parsed;
    use super::*;

    #[test]
    fn an_order_names_who_gives_it() {
        let mut process = Sources::default();
        let written = |line: &[&str], process: &Sources| {
            let word: OverrideArgs = parsed(&[&["--reason", "sale"], line].concat());
            body("active", word.expires_in, &word.order, process).unwrap()
        };
        assert_eq!(written(&[], &process), r#"{"state":"active","reason":"sale"}"#);
        process.environment.insert("USER".into(), "ann".into());
        assert_eq!(written(&[], &process), r#"{"state":"active","reason":"sale","actor":"ann"}"#);
        assert_eq!(
            written(&["--actor", "ben", "--expires-in", "1h"], &process),
            r#"{"state":"active","reason":"sale","actor":"ben","expires_in_seconds":3600}"#
        );
    }
}
