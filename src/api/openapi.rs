//! `GET /openapi.json`: the description of everything served here, for programs.

use std::sync::Arc;

use bytes::Bytes;
use warp::reply::Response;

use super::State;
use super::answer;
use super::call::Call;
use super::problem::Problem;
use super::query_string::QueryString;

/// Kept by hand beside the handlers. Tests compare it with the route table and the problems.
pub(super) const DOCUMENT: &str = include_str!("openapi.json");

pub(super) async fn show(_: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    QueryString::of(&call)?;
    Ok(answer::uncached("application/json", Bytes::from_static(DOCUMENT.as_bytes())))
}
