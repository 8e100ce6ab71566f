//! `POST /reservations` and what follows one: it is settled (`/commit`), released or extended.
//!
//! *Invariants.* A reservation's id is the one that its worker chose, if it chose one: path, retry and the event that settles it all
//! go by it. A client that hangs up cancels its wait, never what it asked for.

use std::sync::Arc;
use std::time::Instant;

use warp::http::StatusCode;
use warp::http::header::{HeaderValue, LOCATION};
use warp::reply::Response;

use super::State;
use super::answer;
use super::call::{BodyStream, Call};
use super::costs_write::new_id;
use super::instruments::{EventResult, Instruments};
use super::percent;
use super::problem::Problem;
use super::query_string::QueryString;
use super::request::read_json;
use super::reservation_list::reservation_in_ledger;
use crate::budget::{BudgetLeft, Refusal, Rest};
use crate::domain::{
    CostSource, Reservation, ReservationRequest, ReservationStage, ReservationState, Settlement, Usd,
    differing_request_fields,
};
use crate::fleet::{Verdict, WANT_MAX};
use crate::formats::native::{idempotency_key, read_extension, read_release, read_reservation, read_settlement};
use crate::ingest::{MODEL_MISSING, ModelUsage, ReservationWish, within};
use crate::wire::{ExtendedAnswer, GrantedAnswer, ReleasedAnswer, SettledAnswer};
use crate::writer::{Done, Receipt, RecordError, ReservationAnswer, ReservationCommand, ReservationError};

/// The events that settle reservations, among the formats in which events come.
const FORMAT: &str = "reservation";

/// Sets money aside.
pub(super) async fn reserve(state: Arc<State>, call: Arc<Call>, body: BodyStream) -> Result<Response, Problem> {
    QueryString::of(&call)?;
    let key = idempotency_key(&call.headers).map_err(Problem::malformed)?;
    let ReservationWish { mut request, estimate_by } = read_json(&state, &call, body, |state, bytes| {
        read_reservation(bytes, key, &state.limits, || new_id(state.clock.now()))
    })
    .await?;
    let is_priced = estimate_by.is_some();
    if let Some(ModelUsage { model, usage }) = estimate_by {
        match state.estimate(&request.service, &model, &usage) {
            Ok(cost) => request.estimated_cost = cost,
            // It may have been granted when there was a price.
            Err(problem) => return granted(&granted_before(&state, request).await?.ok_or(problem)?),
        }
    }
    granted(&reserved(&state, request, is_priced).await?)
}

/// What the same request was granted, if it was.
async fn granted_before(state: &State, request: ReservationRequest) -> Result<Option<Done>, Problem> {
    let known = if request.id_given { reservation_under(state, &request.id).await? } else { None };
    let same = known.filter(|known| differing_request_fields(&known.request, &request, true).is_empty());
    Ok(same.map(|reservation| Done { reservation, is_new: false }))
}

/// The reservation under an id.
async fn reservation_under(state: &State, id: &str) -> Result<Option<Reservation>, Problem> {
    let in_memory = state.board.read().views.holds.find(id).map(|hold| hold.reservation());
    if in_memory.is_some() { Ok(in_memory) } else { reservation_in_ledger(state, id).await }
}

/// Sets money aside. Where this agent may not use so much of a budget that a fleet shares, the fleet is asked for more.
async fn reserved(state: &Arc<State>, request: ReservationRequest, is_priced: bool) -> Result<Done, Problem> {
    let began = Instant::now();
    let mut known = None;
    loop {
        let outcome = try_to_reserve(state, &request, is_priced, known.is_some()).await;
        let Err(ReservationError::Refused(Refusal::BeyondAllowance { left, .. })) = outcome else { return Ok(outcome?) };
        if let Some(verdict) = known {
            return Err(refused(left, verdict).into());
        }
        let verdict = match &state.fleet {
            Some(fleet) => fleet.want(&left.name, left.span, request.estimated_cost).await,
            None => Verdict::Unreachable,
        };
        // What came may be gone again when others are quicker.
        known = (verdict != Verdict::TryAgain || began.elapsed() >= WANT_MAX).then_some(verdict);
    }
}

async fn try_to_reserve(
    state: &Arc<State>,
    request: &ReservationRequest,
    is_priced: bool,
    is_last: bool,
) -> ReservationAnswer {
    let counting = Arc::clone(state);
    let (service, operation) = (request.service.clone(), request.operation.clone());
    let receipt: Receipt<ReservationAnswer> = Box::new(move |outcome| {
        let Err(ReservationError::Refused(refusal)) = outcome else { return };
        if is_last || !matches!(refusal, Refusal::BeyondAllowance { .. }) {
            let label = counting.board.read().views.series.label(&service, &operation);
            counting.instruments.count_blocked(&label);
        }
    });
    let command = ReservationCommand::Reserve { request: request.clone(), is_priced, is_last };
    state.writer.reservation(command, receipt).await
}

/// Why there is not so much for this agent.
fn refused(left: BudgetLeft, verdict: Verdict) -> ReservationError {
    let rest = match verdict {
        Verdict::Exhausted => return ReservationError::Refused(Refusal::BudgetExhausted(left)),
        Verdict::TryAgain => Rest::Elsewhere { usd: Usd::ZERO, silent_agents: 0 },
        Verdict::Elsewhere { leased, agents } => Rest::Elsewhere { usd: leased, silent_agents: agents },
        Verdict::Unreachable => Rest::Unreachable,
    };
    ReservationError::Refused(Refusal::BeyondAllowance { left, rest })
}

/// Records the real cost and ends the hold.
pub(super) async fn settle(state: Arc<State>, call: Arc<Call>, body: BodyStream) -> Result<Response, Problem> {
    let id = id_of(&call)?;
    let settlement = read_json(&state, &call, body, |state, bytes| {
        let book = state.book.load();
        let provider = |model: &str| book.provider(None, model).unwrap_or_default().to_owned();
        let read = read_settlement(bytes, state.clock.now(), &state.limits, &provider);
        read.inspect_err(|_| state.instruments.count_events(FORMAT, EventResult::Rejected, 1))
    })
    .await?;
    let settlement = rated(&state, &id, settlement).await?;
    let counting = Arc::clone(&state);
    let receipt = Box::new(move |outcome: &_| count_settlement(&counting.instruments, outcome));
    let done = state.writer.reservation(ReservationCommand::Settle { id, settlement }, receipt).await?;
    settled(&done.reservation)
}

/// A settlement without an amount costs what the book says, for the service of its reservation, which never changes.
async fn rated(state: &State, id: &Arc<str>, settlement: Settlement) -> Result<Settlement, Problem> {
    if settlement.cost == CostSource::Told {
        return Ok(settlement);
    }
    let Reservation { request, .. } = reservation_under(state, id).await?.ok_or(Problem::UnknownReservation)?;
    let event = request.event(settlement.clone());
    if event.model.is_none() {
        return Err(Problem::field("amount_usd", MODEL_MISSING));
    }
    let (amount, cost) = state.book.load().cost_of(&event);
    within(amount, &state.limits).map_err(|message| Problem::field("usage", &message))?;
    Ok(Settlement { amount, cost, ..settlement })
}

/// Ends the hold without cost.
pub(super) async fn release(state: Arc<State>, call: Arc<Call>, body: BodyStream) -> Result<Response, Problem> {
    let id = id_of(&call)?;
    let reason = read_json(&state, &call, body, |_, bytes| read_release(bytes)).await?;
    let done = state.writer.reservation(ReservationCommand::Release { id, reason }, Box::new(|_| {})).await?;
    let Reservation { request, .. } = &done.reservation;
    answer::json(&ReleasedAnswer { reservation_id: (&*request.id).into(), state: ReservationStage::Released.into() })
}

/// Holds it for longer.
pub(super) async fn extend(state: Arc<State>, call: Arc<Call>, body: BodyStream) -> Result<Response, Problem> {
    let id = id_of(&call)?;
    let ttl_seconds = read_json(&state, &call, body, |_, bytes| read_extension(bytes)).await?;
    let done = state.writer.reservation(ReservationCommand::Extend { id, ttl_seconds }, Box::new(|_| {})).await?;
    let Reservation { request, expires_at, .. } = &done.reservation;
    let state = ReservationStage::Held.into();
    answer::json(&ExtendedAnswer { reservation_id: (&*request.id).into(), state, expires_at: *expires_at })
}

fn id_of(call: &Call) -> Result<Arc<str>, Problem> {
    QueryString::of(call)?;
    Ok(Arc::from(call.id()?))
}

fn granted(done: &Done) -> Result<Response, Problem> {
    let Reservation { request, critical, .. } = &done.reservation;
    let mut response = answer::json(&GrantedAnswer {
        reservation_id: (&*request.id).into(),
        state: ReservationStage::Held.into(),
        expires_at: done.reservation.first_expires_at(),
        estimated_cost_usd: request.estimated_cost,
        critical: *critical,
    })?;
    if done.is_new {
        *response.status_mut() = StatusCode::CREATED;
        if let Ok(location) = HeaderValue::try_from(format!("/reservations/{}", percent::encode(&request.id))) {
            response.headers_mut().insert(LOCATION, location);
        }
    }
    Ok(response)
}

fn settled(reservation: &Reservation) -> Result<Response, Problem> {
    let Reservation { request, state: ReservationState::Settled { amount }, .. } = reservation else {
        tracing::error!(state = reservation.state.stage().as_str(), "a settled reservation is in another state");
        return Err(Problem::Internal);
    };
    answer::json(&SettledAnswer {
        reservation_id: (&*request.id).into(),
        state: ReservationStage::Settled.into(),
        amount_usd: *amount,
        over_estimate_usd: (*amount - request.estimated_cost).max(Usd::ZERO),
    })
}

/// A settlement is one event.
fn count_settlement(instruments: &Instruments, outcome: &ReservationAnswer) {
    let result = match outcome {
        Ok(Done { is_new: true, .. }) => EventResult::Recorded,
        Ok(Done { is_new: false, .. }) => EventResult::Duplicate,
        // Settled before, or recorded as an event: with another cost.
        Err(
            ReservationError::Conflict(_)
            | ReservationError::Finished(ReservationStage::Settled)
            | ReservationError::NotRecorded(RecordError::Conflict(_)),
        ) => EventResult::Conflict,
        Err(
            ReservationError::NotFound
            | ReservationError::Refused(_)
            | ReservationError::Finished(_)
            | ReservationError::NotRecorded(_),
        ) => EventResult::Rejected,
    };
    instruments.count_events(FORMAT, result, 1);
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::domain::{Name, ReservationRequest};

    fn reservation(state: ReservationState) -> Reservation {
        let request = ReservationRequest {
            id: "job/7".into(),
            id_given: true,
            service: Name::new("openai").unwrap(),
            operation: Name::new("chat").unwrap(),
            estimated_cost: Usd::parse("0.50").unwrap(),
            ttl_seconds: 60,
            attribution: None,
            model: None,
            usage: Vec::new(),
        };
        Reservation {
            request,
            critical: false,
            created_at: "2026-11-22T10:00:00Z".parse().unwrap(),
            expires_at: "2026-11-22T10:30:00Z".parse().unwrap(),
            ended_at: None,
            state,
        }
    }

    async fn text(response: Response) -> String {
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_retry_gets_the_first_answer_to_the_letter() {
        let first = granted(&Done { reservation: reservation(ReservationState::Held), is_new: true }).unwrap();
        assert_eq!(
            (first.status().as_u16(), &first.headers()["location"]),
            (201, &"/reservations/job%2F7".parse().unwrap())
        );
        assert_eq!(first.headers()["cache-control"], "no-store");
        let released = ReservationState::Released { reason: None };
        let retry = granted(&Done { reservation: reservation(released), is_new: false }).unwrap();
        assert_eq!((retry.status().as_u16(), retry.headers().get("location")), (200, None));
        let (first, retry) = (text(first).await, text(retry).await);
        assert_eq!(
            first,
            r#"{"reservation_id":"job/7","state":"held","expires_at":"2026-11-22T10:01:00Z","estimated_cost_usd":0.5,"critical":false}"#
        );
        assert_eq!(first, retry, "also after it was extended and ended");
    }

    #[tokio::test]
    async fn a_settlement_says_how_far_it_was_above_its_estimate() {
        for (amount, over) in [("0.75", "0.25"), ("0.5", "0"), ("0.2", "0")] {
            let state = ReservationState::Settled { amount: Usd::parse(amount).unwrap() };
            let answer = text(settled(&reservation(state)).unwrap()).await;
            let expected = format!(
                r#"{{"reservation_id":"job/7","state":"committed","amount_usd":{amount},"over_estimate_usd":{over}}}"#
            );
            assert_eq!(answer, expected);
        }
        assert!(settled(&reservation(ReservationState::Held)).is_err());
    }
}
