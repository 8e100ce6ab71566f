//! `GET /costs/daily`, `/costs/monthly`, `/costs`, `/costs/history`: what things cost, by what the client asks for.
//!
//! Here is the answer as JSON; `query` knows where it comes from.

use std::sync::Arc;

use bytes::Bytes;
use jiff::civil::Date;
use warp::reply::Response;

use super::State;
use super::answer;
use super::call::Call;
use super::costs_query::{by, day, days_of_history, filters, month, range};
use super::problem::Problem;
use super::query_string::QueryString;
use crate::domain::{CostQuestion, GroupsByDay, Month, Name, Period};
use crate::query::{self, Plan, Source};
use crate::views::Published;
use crate::wire::{CostsByName, CostsInParts, CostsOfDay};

/// Days that one sum may be of: ten years.
pub(super) const RANGE_DAYS_MAX: i32 = 3_653;

pub(super) async fn daily(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let query = QueryString::of(&call)?;
    let published = state.board.read();
    let day = day(&query, "date")?.unwrap_or_else(|| published.policy.zone.day_of(state.clock.now()));
    one_group(&state, published, &query, (day, day)).await
}

pub(super) async fn monthly(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let query = QueryString::of(&call)?;
    let published = state.board.read();
    let month = month(&query)?.unwrap_or_else(|| Month::of(published.policy.zone.day_of(state.clock.now())));
    one_group(&state, published, &query, Period::Month(month).days()).await
}

pub(super) async fn of_range(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let query = QueryString::of(&call)?;
    let published = state.board.read();
    let today = published.policy.zone.day_of(state.clock.now());
    let days = range(&query, today, RANGE_DAYS_MAX)?;
    let days = days.ok_or_else(|| Problem::malformed("from is required, such as from=2026-11-01; to is a day, or today"))?;
    one_group(&state, published, &query, days).await
}

pub(super) async fn history(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let query = QueryString::of(&call)?;
    let published = state.board.read();
    let today = published.policy.zone.day_of(state.clock.now());
    let (first, last) = days_of_history(&query, today)?;
    let question = CostQuestion { by: by(&query)?, filters: filters(&query)?, first, last, by_day: true };
    answer_with(&state, published, question, |question, mut groups| {
        let line = |date| {
            let by = CostsByName(groups.remove(&date).unwrap_or_default());
            CostsOfDay { date, total_usd: by.total(), by, as_of: None }
        };
        answer::json_text(&question.days().map(line).collect::<Vec<_>>())
    })
    .await
}

async fn one_group(
    state: &State,
    published: Arc<Published>,
    query: &QueryString<'_>,
    (first, last): (Date, Date),
) -> Result<Response, Problem> {
    let question = CostQuestion { by: by(query)?, filters: filters(query)?, first, last, by_day: false };
    let plan = Plan::of(&question, &published.views);
    if query::is_in_order(&question, plan, &published) {
        return in_order(state, published, question).await;
    }
    answer_with(state, published, question, |_, mut groups| {
        answer::json_text(&CostsByName(groups.remove(&first).unwrap_or_default()))
    })
    .await
}

/// A text too long to be kept, written as the sums come.
async fn in_order(state: &State, published: Arc<Published>, question: CostQuestion) -> Result<Response, Problem> {
    let text = Ok(CostsInParts::default());
    let written = query::in_order(&state.reads, published, question, text, |text, service, operation, sum| {
        if let Ok(parts) = text
            && let Err(error) = parts.push(service.as_str(), operation.map(Name::as_str), sum)
        {
            *text = Err(error);
        }
    });
    let parts = written.await?.map_err(answer::unserializable)?;
    Ok(answer::json_of_parts(parts.finish()))
}

/// The answer that was given to the same question in the same state, or a new one.
async fn answer_with(
    state: &State,
    published: Arc<Published>,
    question: CostQuestion,
    write: impl FnOnce(&CostQuestion, GroupsByDay) -> Result<Bytes, Problem>,
) -> Result<Response, Problem> {
    let events = published.views.entries;
    if let Some(text) = state.memo.get(events, &question) {
        return Ok(answer::json_of(text));
    }
    let plan = Plan::of(&question, &published.views);
    let groups = query::ask(&state.reads, published, question.clone(), plan).await?;
    let text = write(&question, groups)?;
    // What the ledger's file says may be newer than this state.
    if plan.source == Source::Memory {
        state.memo.put(events, question, &text);
    }
    Ok(answer::json_of(text))
}
