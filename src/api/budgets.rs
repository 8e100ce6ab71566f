//! `GET /budgets`: where every budget stands.

use std::sync::Arc;

use warp::reply::Response;

use super::State;
use super::answer;
use super::call::Call;
use super::problem::Problem;
use super::query_string::QueryString;
use crate::wire::BudgetItem;

pub(super) async fn list(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    QueryString::of(&call)?;
    let standings = state.board.read().all_standings(state.clock.instant());
    answer::json(&standings.into_iter().map(BudgetItem::from).collect::<Vec<_>>())
}
