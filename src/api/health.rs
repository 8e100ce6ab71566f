//! `GET /health`, `/-/healthy`, `/-/ready`: is it alive, and can it record?
//!
//! Query strings are ignored here, so that no probe fails over one.

use std::sync::Arc;

use warp::http::StatusCode;
use warp::reply::Response;

use super::State;
use super::answer;
use super::call::Call;
use super::problem::Problem;
use crate::wire::HealthAnswer;

/// Whether cost can be recorded.
pub(super) async fn health(state: Arc<State>, _: Arc<Call>) -> Result<Response, Problem> {
    let reason = state.writer.health().problem();
    // No problem document: one shape, healthy or not.
    let mut response = answer::json(&HealthAnswer::of(reason))?;
    if reason.is_some() {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    Ok(response)
}

/// The process lives; that it answers says it all.
pub(super) async fn alive(_: Arc<State>, _: Arc<Call>) -> Result<Response, Problem> {
    Ok(answer::uncached("text/plain; charset=utf-8", "alive\n"))
}

/// The ledger is open and the views are rebuilt (or this surface would not be there), and writes commit.
pub(super) async fn ready(state: Arc<State>, _: Arc<Call>) -> Result<Response, Problem> {
    match state.writer.health().problem() {
        None => Ok(answer::uncached("text/plain; charset=utf-8", "ready\n")),
        Some(why) => Err(Problem::NotReady(why)),
    }
}
