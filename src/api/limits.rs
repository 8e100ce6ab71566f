//! `PUT /budgets/{name}` and `GET /budgets/history`: limits that somebody sets in place of those of the settings.

use std::sync::Arc;

use warp::reply::Response;

use super::State;
use super::answer;
use super::budgets;
use super::call::{BodyStream, Call};
use super::problem::Problem;
use super::query_string::QueryString;
use super::request::read_json;
use crate::budget::{BudgetScope, Limit, Policy};
use crate::domain::{LimitOverride, after};
use crate::formats::native::read_limit;
use crate::ingest::{LimitRequest, LimitWish};
use crate::wire::LimitLine;

/// Lines of the history at most.
const HISTORY_LINES_MAX: u32 = 1_000;
/// Lines when the client does not say.
const HISTORY_LINES_DEFAULT: u32 = 50;

/// Amounts by their units.
type Parts = Vec<(Box<str>, i128)>;

/// Sets a limit, or lifts what was set, and answers with how the budget stands then.
pub(super) async fn set(state: Arc<State>, call: Arc<Call>, body: BodyStream) -> Result<Response, Problem> {
    QueryString::of(&call)?;
    let name = call.id()?;
    let configured = limit_in(&state.board.read().configured, &name).cloned().ok_or(Problem::UnknownBudget)?;
    let request = read_json(&state, &call, body, |_, bytes| read_limit(bytes)).await?;
    let LimitRequest { wish, reason, actor, expires_in_seconds } = request;
    let limit = parts(wish, &configured)?;
    let timestamp = state.clock.now();
    let expires_at = expires_in_seconds.map(|seconds| after(timestamp, seconds));
    let token = call.token.as_deref().map(Box::from);
    let line = LimitOverride { budget: (&*name).into(), limit, reason, actor, timestamp, expires_at, token };
    if let Some(fleet) = state.fleet.as_ref().filter(|_| is_shared(&state.board.read().configured, &name)) {
        fleet.set_limit(line.clone()).await?;
    }
    state.writer.set_limit(line).await?;
    let items = budgets::items(&state.board.read(), state.clock.instant());
    // The settings may have changed meanwhile.
    answer::json(&items.into_iter().find(|item| item.name == *name).ok_or(Problem::UnknownBudget)?)
}

pub(super) async fn history(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let query = QueryString::of(&call)?;
    let limit = query.number("limit", 1..=HISTORY_LINES_MAX)?.unwrap_or(HISTORY_LINES_DEFAULT);
    let lines = state.reads.look_up(move |reader, _| reader.budget_history(limit)).await?;
    let configured = Arc::clone(&state.board.read().configured);
    let shown = |line: LimitOverride| {
        let limit = limit_in(&configured, &line.budget);
        LimitLine::new(line, limit)
    };
    answer::json(&lines.into_iter().map(shown).collect::<Vec<_>>())
}

fn limit_in<'p>(policy: &'p Policy, budget: &str) -> Option<&'p Limit> {
    policy.budgets.iter().find(|found| found.name == budget).map(|budget| &budget.limit)
}

fn is_shared(policy: &Policy, budget: &str) -> bool {
    policy.budgets.iter().any(|found| found.name == budget && found.scope == BudgetScope::Fleet)
}

/// What is wished for in the smallest parts of the budget's units.
fn parts(wish: LimitWish, configured: &Limit) -> Result<Option<Parts>, Problem> {
    let (field, limit) = match wish {
        LimitWish::Configured => return Ok(None),
        LimitWish::Usd(usd) => ("limit_usd", Limit::Usd(usd)),
        LimitWish::Usage(counts) => ("limit_usage", Limit::Usage(counts)),
    };
    if !limit.has_units_of(configured) {
        let units: Vec<String> = configured.units().map(|unit| unit.as_str().to_owned()).collect();
        let message = match configured {
            Limit::Usd(_) => "does not fit: the limit of this budget is in USD, limit_usd".to_owned(),
            Limit::Usage(_) => format!("does not fit: this budget needs limit_usage with {}", units.join(", ")),
        };
        return Err(Problem::field(field, &message));
    }
    let units = limit.units().map(|unit| Box::from(unit.as_str()));
    Ok(Some(units.zip(limit.amounts()).collect()))
}
