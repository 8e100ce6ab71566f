//! `GET /health`, `/-/healthy`, `/-/ready`: is it alive, and can it record?
//!
//! Query strings are ignored here, so that no probe fails over one.

use std::sync::Arc;

use serde_json::json;
use warp::http::StatusCode;
use warp::reply::Response;

use super::State;
use super::answer;
use super::call::Call;
use super::problem::Problem;

/// Whether cost can be recorded.
pub(super) async fn health(state: Arc<State>, _: Arc<Call>) -> Result<Response, Problem> {
    let Some(reason) = state.writer.health().problem() else { return Ok(answer::json(&json!({ "status": "healthy" }))) };
    let mut response = answer::json(&json!({ "status": "unhealthy", "reason": reason }));
    // Not a problem document: the contract gives this answer a shape of its own.
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
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
        Some(_) => Err(Problem::LedgerUnavailable),
    }
}
