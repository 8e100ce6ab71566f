//! `GET /costs/daily`, `/costs/monthly`, `/costs/history`: what things cost, by what the client asks for.
//!
//! Here is what a client may ask for, and the answer as JSON; `query` knows where it comes from.

use std::sync::Arc;

use bytes::Bytes;
use jiff::ToSpan;
use warp::reply::Response;

use super::State;
use super::answer;
use super::call::Call;
use super::problem::Problem;
use super::query_string::QueryString;
use crate::domain::{CostQuestion, Dimension, Filter, GroupsByDay, Month, Name, Period};
use crate::query::{self, Plan, Source};
use crate::views::Published;
use crate::wire::{CostsByName, CostsOfDay};

/// Days of a history.
const HISTORY_DAYS_MAX: u32 = 400;
/// Days when the client does not say.
const HISTORY_DAYS_DEFAULT: u32 = 30;

pub(super) async fn daily(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let query = QueryString::of(&call)?;
    let published = state.board.read();
    let period = match query.get("date") {
        Some(text) => Period::parse_day(text).map_err(|error| Problem::malformed(format!("date {error}")))?,
        None => Period::Day(published.policy.zone.day_of(state.clock.now())),
    };
    one_group(&state, published, &query, period).await
}

pub(super) async fn monthly(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let query = QueryString::of(&call)?;
    let published = state.board.read();
    let month = match query.get("month") {
        Some(text) => text.parse().map_err(|error| Problem::malformed(format!("month {error}")))?,
        None => Month::of(published.policy.zone.day_of(state.clock.now())),
    };
    one_group(&state, published, &query, Period::Month(month)).await
}

pub(super) async fn history(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let query = QueryString::of(&call)?;
    let published = state.board.read();
    let count = query.number("days", 1..=HISTORY_DAYS_MAX)?.unwrap_or(HISTORY_DAYS_DEFAULT);
    let last = published.policy.zone.day_of(state.clock.now());
    let first = last.saturating_sub(i64::from(count - 1).days());
    let question = CostQuestion { by: by(&query)?, filters: filters(&query)?, first, last, by_day: true };
    answer_with(&state, published, question, |question, mut groups| {
        let line = |date| {
            let by = CostsByName(groups.remove(&date).unwrap_or_default());
            CostsOfDay { date, total_usd: by.total(), by }
        };
        answer::json_text(&question.days().map(line).collect::<Vec<_>>())
    })
    .await
}

async fn one_group(
    state: &State,
    published: Arc<Published>,
    query: &QueryString<'_>,
    period: Period,
) -> Result<Response, Problem> {
    let (first, last) = period.days();
    let question = CostQuestion { by: by(query)?, filters: filters(query)?, first, last, by_day: false };
    answer_with(state, published, question, |_, mut groups| {
        answer::json_text(&CostsByName(groups.remove(&first).unwrap_or_default()))
    })
    .await
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

/// What to group by: operations below their services.
fn by(query: &QueryString<'_>) -> Result<Vec<Dimension>, Problem> {
    let Some(word) = query.get("by") else { return Ok(vec![Dimension::Service]) };
    match Dimension::from_word(word) {
        Some(Dimension::Operation) => Ok(vec![Dimension::Service, Dimension::Operation]),
        Some(dimension) => Ok(vec![dimension]),
        None => {
            let words = Dimension::ALL.map(Dimension::as_str).join(", ");
            Err(Problem::malformed(format!("by must be one of {words}")))
        }
    }
}

fn filters(query: &QueryString<'_>) -> Result<Vec<Filter>, Problem> {
    let Some(text) = query.get("service") else { return Ok(vec![]) };
    let name = Name::new(text).map_err(|error| Problem::malformed(format!("service {error}")))?;
    Ok(vec![Filter { dimension: Dimension::Service, value: name.as_str().into() }])
}
