//! `/fleet`: the agents that share budgets and totals, where the agent belongs to some.
//!
//! *Invariants.* Nothing here waits for the database longer than [`ANSWER_MAX`](crate::fleet::ANSWER_MAX); without it, what was known last is
//! told, with its time.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use warp::reply::Response;

use super::State;
use super::answer;
use super::call::Call;
use super::costs_query::{by, day, days_of_history, month};
use super::problem::Problem;
use super::query_string::QueryString;
use crate::domain::{CostQuestion, Dimension, Month, Period};
use crate::fleet::{Fleet, FleetAgent, Known, SharedBudget};
use crate::wire::{CostsByName, CostsOfDay, FleetAgentItem, FleetAnswer, FleetBudgetItem, FleetCosts};

pub(super) async fn show(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    QueryString::of(&call)?;
    answer::json(&standing(&state, fleet(&state)?).await)
}

/// How the fleet stands.
pub(super) async fn standing(state: &State, fleet: &Fleet) -> FleetAnswer {
    // Without the database nothing may be known of the agents; what is known of the budgets is told all the same.
    let (agents, as_of) = fleet.agents().await.map_or_else(|_| Default::default(), |Known { value, as_of }| (value, as_of));
    let status = fleet.status();
    FleetAnswer {
        up: status.is_up(),
        problem: status.problem.as_deref().map(str::to_owned),
        lag_seconds: status.lag(state.clock.instant().steady).map(seconds),
        as_of,
        warnings: status.warnings.iter().map(|warning| String::from(&**warning)).collect(),
        budgets: status.budgets.iter().map(budget).collect(),
        agents: agents.into_iter().map(agent).collect(),
    }
}

pub(super) async fn daily(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let query = QueryString::of(&call)?;
    let day = day(&query, "date")?.unwrap_or_else(|| today(&state));
    one_group(&state, &query, (day, day)).await
}

pub(super) async fn monthly(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let query = QueryString::of(&call)?;
    let month = month(&query)?.unwrap_or_else(|| Month::of(today(&state)));
    one_group(&state, &query, Period::Month(month).days()).await
}

pub(super) async fn history(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let query = QueryString::of(&call)?;
    let fleet = fleet(&state)?;
    let (first, last) = days_of_history(&query, today(&state))?;
    let question = question(&query, (first, last), true)?;
    let days = question.days();
    let Known { value: mut groups, as_of } = fleet.costs(question).await?;
    let line = |date| {
        let by = CostsByName(groups.remove(&date).unwrap_or_default());
        CostsOfDay { date, total_usd: by.total(), by, as_of }
    };
    answer::json(&days.map(line).collect::<Vec<_>>())
}

async fn one_group(state: &State, query: &QueryString<'_>, days: (Date, Date)) -> Result<Response, Problem> {
    let fleet = fleet(state)?;
    let question = question(query, days, false)?;
    let Known { value: mut groups, as_of } = fleet.costs(question).await?;
    let costs = CostsByName(groups.remove(&days.0).unwrap_or_default());
    answer::json(&FleetCosts { costs, as_of })
}

/// The fleet's database has sums by service and operation, and no more.
fn question(query: &QueryString<'_>, (first, last): (Date, Date), by_day: bool) -> Result<CostQuestion, Problem> {
    let by = by(query)?;
    if by.iter().any(|dimension| !matches!(dimension, Dimension::Service | Dimension::Operation)) {
        return Err(Problem::malformed("by takes service or operation here: the fleet shares no other sums"));
    }
    Ok(CostQuestion { by, filters: Vec::new(), first, last, by_day })
}

fn fleet(state: &State) -> Result<&Fleet, Problem> {
    state.fleet.as_ref().ok_or(Problem::NoFleet)
}

fn today(state: &State) -> Date {
    state.board.read().policy.zone.day_of(state.clock.now())
}

/// To the millisecond: more is noise.
fn seconds(length: Duration) -> f64 {
    Duration::from_millis(u64::try_from(length.as_millis()).unwrap_or(u64::MAX)).as_secs_f64()
}

fn budget(shared: &SharedBudget) -> FleetBudgetItem {
    FleetBudgetItem {
        name: (*shared.budget).to_owned(),
        period_start: shared.span.starts_at(),
        period_end: shared.span.ends_at(),
        limit_usd: shared.limit,
        spent_usd: shared.spent,
        held_usd: shared.held,
        leased_usd: shared.leased,
        free_usd: shared.free,
        overrun_usd: shared.overrun(),
        own_lease_usd: shared.own_lease,
    }
}

fn agent(agent: FleetAgent) -> FleetAgentItem {
    let FleetAgent { ledger_id, name, version, last_seen, lag, sums, total, leased } = agent;
    let (lag_seconds, total_usd, leased_usd) = (seconds(lag), total, leased);
    FleetAgentItem { ledger_id, name, version, last_seen, lag_seconds, sums, total_usd, leased_usd }
}
