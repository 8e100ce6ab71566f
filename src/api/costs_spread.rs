//! `GET /costs/leads` and `/costs/batches`: what a lead or a batch costs.

use std::sync::Arc;

use jiff::civil::Date;
use warp::reply::Response;

use super::State;
use super::answer;
use super::call::Call;
use super::costs_query::{at_most_one, day, filters, month, range};
use super::costs_read::RANGE_DAYS_MAX;
use super::problem::Problem;
use super::query_string::QueryString;
use crate::domain::{CostQuestion, Dimension, Period, Spread};
use crate::ledger::SPREAD_KEYS_MAX;
use crate::query;
use crate::wire::{BatchCosts, LeadCosts};

pub(super) async fn leads(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    answer::json(&LeadCosts::from(spread(&state, &call, Dimension::Lead).await?))
}

pub(super) async fn batches(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    answer::json(&BatchCosts::from(spread(&state, &call, Dimension::Batch).await?))
}

async fn spread(state: &State, call: &Call, over: Dimension) -> Result<Spread, Problem> {
    let query = QueryString::of(call)?;
    let today = state.board.read().policy.zone.day_of(state.clock.now());
    let (first, last) = days(&query, today)?;
    let question = CostQuestion { by: vec![over], filters: filters(&query)?, first, last, by_day: false };
    query::spread(&state.reads, question).await?.ok_or_else(|| {
        Problem::malformed(format!("That is more than {SPREAD_KEYS_MAX} of them: ask for fewer days, or narrow them down"))
    })
}

/// A day, a month or a range; today when nothing is said.
fn days(query: &QueryString<'_>, today: Date) -> Result<(Date, Date), Problem> {
    at_most_one(query, &["date", "month", "from"])?;
    if let Some(range) = range(query, today, RANGE_DAYS_MAX)? {
        return Ok(range);
    }
    Ok(match month(query)? {
        Some(month) => Period::Month(month),
        None => Period::Day(day(query, "date")?.unwrap_or(today)),
    }
    .days())
}
