//! `/scaling-gate`: whether non-critical work must stop and since when, overriding that, and whether one piece of work may be paid
//! for.

use std::sync::Arc;

use warp::reply::Response;

use super::State;
use super::answer;
use super::call::{BodyStream, Call};
use super::problem::Problem;
use super::query_string::QueryString;
use super::question::Words;
use super::request::read_json;
use crate::budget::Admission;
use crate::domain::{GateOverride, after};
use crate::formats::native::read_gate;
use crate::ingest::{GateRequest, GateWish};
use crate::wire::{CheckAnswer, GateLine, GateStatus};
use crate::writer::GateOrder;

/// Lines of the history at most.
const HISTORY_LINES_MAX: u32 = 1_000;
/// Lines when the client does not say.
const HISTORY_LINES_DEFAULT: u32 = 50;

pub(super) async fn status(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    QueryString::of(&call)?;
    shown(&state)
}

pub(super) async fn history(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let query = QueryString::of(&call)?;
    let limit = query.number("limit", 1..=HISTORY_LINES_MAX)?.unwrap_or(HISTORY_LINES_DEFAULT);
    let lines = state.reads.look_up(move |reader, _| reader.gate_history(limit)).await?;
    answer::json(&lines.into_iter().map(GateLine::from).collect::<Vec<_>>())
}

/// Whether something may be spent now. Nothing is set aside by asking.
pub(super) async fn check(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let question = state.question(&Words::of_query(QueryString::of(&call)?))?;
    let admission = state.weigh(&question).await?;
    if let Admission::Refused(_) = admission {
        state.count_refused(&question);
    }
    answer::json(&CheckAnswer::from(&admission))
}

/// Overrides the gate, or ends an override, and answers with the status that follows.
pub(super) async fn set(state: Arc<State>, call: Arc<Call>, body: BodyStream) -> Result<Response, Problem> {
    QueryString::of(&call)?;
    let request = read_json(&state, &call, body, |_, bytes| read_gate(bytes)).await?;
    let GateRequest { wish, reason, actor, expires_in_seconds } = request;
    let since = state.clock.now();
    let token = call.token.as_deref().map(Box::from);
    let order = match wish {
        GateWish::Manual { active } => {
            let expires_at = expires_in_seconds.map(|seconds| after(since, seconds));
            GateOrder::Manual(GateOverride { active, reason, actor, since, expires_at, token })
        }
        GateWish::Auto => GateOrder::Auto { reason, actor, token },
    };
    state.writer.set_gate(order).await?;
    shown(&state)
}

fn shown(state: &State) -> Result<Response, Problem> {
    answer::json(&GateStatus::from(state.board.read().gate_standing(state.clock.instant())))
}
