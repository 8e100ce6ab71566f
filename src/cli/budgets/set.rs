//! `budgets set` and `budgets clear`: a limit in place of that of the settings.

use std::collections::BTreeMap;

use clap::Args;

use super::super::answer::read;
use super::super::client::{ANSWER_TIMEOUT, AgentClient};
use super::super::order_args::OrderArgs;
use super::super::output::Screen;
use super::super::{Failure, parse};
use super::show;
use crate::config::Sources;
use crate::domain::{Quantity, Usd};
use crate::wire::SetLimitBody;

#[derive(Args, Debug)]
pub struct SetArgs {
    /// The budget
    pub name: String,
    #[command(flatten)]
    pub limit: LimitArgs,
    /// Return to the limit of the configuration after this time: 90s, 15m, 1h30m, 7d, or a number of seconds [default: never]
    #[arg(long, value_name = "DURATION", value_parser = parse::expires_in)]
    pub expires_in: Option<u64>,
    #[command(flatten)]
    pub order: OrderArgs,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub struct LimitArgs {
    /// The limit of a budget in USD
    #[arg(long, value_name = "USD", value_parser = parse::limit_usd)]
    pub limit_usd: Option<Usd>,
    /// The limit of a budget of usage, such as input_tokens=2000000; repeat it for each kind that the budget limits
    #[arg(long, value_name = "NAME=QUANTITY", value_parser = parse::usage)]
    pub limit_usage: Vec<(String, Quantity)>,
}

#[derive(Args, Debug)]
pub struct ClearArgs {
    /// The budget
    pub name: String,
    #[command(flatten)]
    pub order: OrderArgs,
}

/// Sets a limit, and shows where the budget stands under it.
pub fn set(arguments: &SetArgs, process: &Sources, screen: &Screen) -> Result<(), Failure> {
    let SetArgs { name, limit, expires_in, order } = arguments;
    let limit_usage = parse::usage_by_name(&limit.limit_usage, "--limit-usage")?;
    let limit_usd = limit.limit_usd.map(Some);
    let (reason, actor) = (order.reason.as_str(), order.actor(process));
    let body = SetLimitBody { limit_usd, limit_usage, reason, actor, expires_in_seconds: *expires_in };
    send(name, &body, order, process, screen)
}

/// Has the limit of the settings hold again, and shows where the budget stands under it.
pub fn clear(arguments: &ClearArgs, process: &Sources, screen: &Screen) -> Result<(), Failure> {
    let ClearArgs { name, order } = arguments;
    let (reason, actor) = (order.reason.as_str(), order.actor(process));
    let limit_usage = BTreeMap::new();
    let body = SetLimitBody { limit_usd: Some(None), limit_usage, reason, actor, expires_in_seconds: None };
    send(name, &body, order, process, screen)
}

fn send(name: &str, body: &SetLimitBody<'_>, order: &OrderArgs, process: &Sources, screen: &Screen) -> Result<(), Failure> {
    let body = serde_json::to_string(body).map_err(|error| Failure::Failed(error.to_string()))?;
    let token = order.token.to_change(process)?;
    let client = AgentClient::new(&order.agent, process, ANSWER_TIMEOUT)?;
    let answer = client.put_item("/budgets", name, token.as_deref(), body)?;
    show::table(vec![read(&answer)?]).write(order.output.output, &answer, screen)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::agent_args::parsed;
    use super::*;

    fn body(line: &[&str]) -> String {
        let arguments: SetArgs = parsed(&[&["daily", "--reason", "launch"], line].concat());
        let limit_usage = parse::usage_by_name(&arguments.limit.limit_usage, "--limit-usage").unwrap();
        let SetArgs { limit, expires_in: expires_in_seconds, order, .. } = &arguments;
        let (limit_usd, expires_in_seconds) = (limit.limit_usd.map(Some), *expires_in_seconds);
        let body = SetLimitBody { limit_usd, limit_usage, reason: &order.reason, actor: None, expires_in_seconds };
        serde_json::to_string(&body).unwrap()
    }

    #[test]
    fn a_limit_is_sent_with_all_its_digits() {
        assert_eq!(
            body(&["--limit-usd", "80.000000000001", "--expires-in", "8h"]),
            r#"{"limit_usd":80.000000000001,"reason":"launch","expires_in_seconds":28800}"#
        );
        assert_eq!(
            body(&["--limit-usage", "tokens=9007199254740993", "--limit-usage", "pages=0.5"]),
            r#"{"limit_usage":{"pages":0.5,"tokens":9007199254740993},"reason":"launch"}"#
        );
        let lifting = SetLimitBody {
            limit_usd: Some(None),
            limit_usage: BTreeMap::new(),
            reason: "over",
            actor: Some("ann"),
            expires_in_seconds: None,
        };
        assert_eq!(serde_json::to_string(&lifting).unwrap(), r#"{"limit_usd":null,"reason":"over","actor":"ann"}"#);
    }
}
