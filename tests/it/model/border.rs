//! Between the program's types and the model's: words are translated here, nothing is decided.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use lead_factory_metrics::budget::{Admission, Budget, BudgetLeft, CriticalOperations, Policy, Refusal, Spend};
use lead_factory_metrics::domain::{
    Attribution, BudgetZone, CostEvent, EventKey, GateOverride, Kind, Name, Now, Outcome, Period, PeriodKind, Reservation,
    ReservationRequest, ReservationState, Settlement, Threshold, Usd,
};
use lead_factory_metrics::views::Published;
use lead_factory_metrics::writer::{self, GateOrder, RecordError, ReservationAnswer, ReservationError};

use super::calendar::{Nanos, Zone};
use super::command::{self, Answer, CRITICAL, Left, State, View, Who, Word, word};

/// What makes an id of a number.
const ID_PREFIX: &str = "id-";

// === to the program ===

pub fn timestamp(nanos: Nanos) -> Timestamp {
    Timestamp::from_nanosecond(nanos.into()).unwrap()
}

pub fn zone(zone: Zone) -> BudgetZone {
    BudgetZone::named(zone.name()).unwrap()
}

pub fn id(number: u32) -> String {
    format!("{ID_PREFIX}{number}")
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn attribution(who: Who) -> Attribution {
    let [worker, batch_id, lead_id] = who.map(|text| text.map(Box::from));
    Attribution { worker, batch_id, lead_id }
}

pub fn event(event: &command::Event) -> CostEvent {
    let Attribution { worker, batch_id, lead_id } = attribution(event.who);
    CostEvent {
        key: EventKey { source: event.source.into(), id: id(event.id).into() },
        service: name(event.service),
        operation: name(event.operation),
        amount: Usd::from_pico(event.amount),
        kind: if event.credit { Kind::Credit } else { Kind::Charge },
        time: timestamp(event.time),
        time_given: event.time_given,
        worker,
        batch_id,
        lead_id,
        model: event.model.map(Box::from),
        usage: Vec::new(),
        duration_seconds: None,
        outcome: Outcome::Ok,
        attributes: event.team.map(|team| format!(r#"{{"team":"{team}"}}"#).into()),
        revision: event.revision,
        first_recorded_at: None,
        origin: None,
    }
}

pub fn request(request: &command::Request) -> ReservationRequest {
    ReservationRequest {
        id: id(request.id).into(),
        id_given: request.id_given,
        service: name(request.service),
        operation: name(request.operation),
        estimated_cost: Usd::from_pico(request.estimate),
        ttl_seconds: request.ttl_seconds,
        attribution: attribution(request.who).shared(),
    }
}

pub fn settlement(settlement: &command::Settlement) -> Settlement {
    Settlement {
        amount: Usd::from_pico(settlement.amount),
        cost: lead_factory_metrics::domain::CostSource::Told,
        time: timestamp(settlement.time),
        time_given: settlement.time_given,
        model: settlement.model.map(Box::from),
        usage: Vec::new(),
        duration_seconds: None,
        outcome: Outcome::Ok,
        attributes: None,
    }
}

pub fn manual(active: bool, reason: Word, lasts_seconds: Option<u32>, since: Timestamp) -> GateOrder {
    let lasts = lasts_seconds.map(|seconds| SignedDuration::from_secs(seconds.into()));
    let expires_at = lasts.map(|lasts| since.checked_add(lasts).unwrap());
    GateOrder::Manual(GateOverride { active, reason: reason.to_owned(), actor: "operator".to_owned(), since, expires_at })
}

pub fn policy(policy: &command::Policy, in_zone: Zone) -> Arc<Policy> {
    let percent = |percent: i128| Threshold::parse(&format!("{}.{:02}", percent / 100, percent % 100)).unwrap();
    let budget = |budget: &command::Budget| Budget {
        name: budget.name.to_owned(),
        service: budget.service.map(name),
        period: if budget.monthly { PeriodKind::Monthly } else { PeriodKind::Daily },
        limit: Usd::from_pico(budget.limit),
        warn_at: percent(budget.warn_percent),
        gate_at: percent(budget.gate_percent),
    };
    Arc::new(Policy {
        zone: zone(in_zone),
        budgets: policy.budgets.iter().map(budget).collect(),
        gate_enabled: policy.gate_enabled,
        critical: CriticalOperations::new(CRITICAL),
    })
}

// === from the program ===

fn nanos(time: Timestamp) -> Nanos {
    time.as_nanosecond().try_into().unwrap()
}

fn number(id: &str) -> u32 {
    id.strip_prefix(ID_PREFIX).and_then(|number| number.parse().ok()).expect("histories use numbers as ids")
}

fn who(attribution: &Attribution) -> Who {
    let Attribution { worker, batch_id, lead_id } = attribution;
    [worker, batch_id, lead_id].map(|text| text.as_deref().map(word))
}

pub fn recorded(outcome: writer::RecordAnswer) -> Answer {
    match outcome {
        Ok(writer::Recorded { accepted, duplicates, revised, conflicts, .. }) if conflicts.is_empty() => {
            Answer::Recorded { accepted, duplicates, revised }
        }
        Ok(partly) => Answer::Failed(format!("{partly:?}")),
        Err(RecordError::Conflict(conflicts)) => {
            Answer::Conflicts(conflicts.into_iter().map(|found| (found.index, number(&found.id), found.fields)).collect())
        }
        Err(error) => Answer::Failed(format!("{error:?}")),
    }
}

pub fn ordered(outcome: Result<(), RecordError>) -> Answer {
    outcome.map_or_else(|error| Answer::Failed(format!("{error:?}")), |()| Answer::Ordered)
}

pub fn answered(outcome: ReservationAnswer) -> Answer {
    match outcome {
        Ok(done) => Answer::Done { reservation: reservation(&done.reservation), is_new: done.is_new },
        Err(ReservationError::NotFound) => Answer::NotFound,
        Err(ReservationError::Refused(refusal)) => refused(refusal),
        Err(ReservationError::Finished(stage)) => Answer::Finished(stage.as_str()),
        Err(ReservationError::Conflict(fields)) => Answer::OtherContent(fields),
        Err(ReservationError::NotRecorded(error)) => recorded(Err(error)),
    }
}

fn refused(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::GateActive { budget, .. } => Answer::GateActive(budget.map(left)),
        Refusal::BudgetExhausted(budget) => Answer::Exhausted(left(budget)),
    }
}

fn left(left: BudgetLeft) -> Left {
    let BudgetLeft { name, remaining, period_end } = left;
    Left { name: word(&name), remaining: remaining.pico(), period_end: nanos(period_end) }
}

pub fn reservation(reservation: &Reservation) -> command::Reservation {
    let Reservation { request, critical, created_at, expires_at, ended_at, state } = reservation;
    command::Reservation {
        request: command::Request {
            id: number(&request.id),
            id_given: request.id_given,
            service: word(request.service.as_str()),
            operation: word(request.operation.as_str()),
            estimate: request.estimated_cost.pico(),
            ttl_seconds: request.ttl_seconds,
            who: request.attribution.as_deref().map(who).unwrap_or_default(),
        },
        critical: *critical,
        created_at: nanos(*created_at),
        expires_at: nanos(*expires_at),
        ended_at: ended_at.map(nanos),
        state: match state {
            ReservationState::Held => State::Held,
            ReservationState::Expired => State::Expired,
            ReservationState::Released { reason } => State::Released(reason.as_deref().map(word)),
            ReservationState::Settled { amount } => State::Committed(amount.pico()),
        },
    }
}

/// Why a check is refused now; `None` where it is not.
pub fn refusal(published: &Published, service: Word, operation: Word, estimate: command::Pico, now: Now) -> Option<Answer> {
    let (service, operation) = (name(service), name(operation));
    let spend = Spend { service: &service, operation: &operation, estimate: Usd::from_pico(estimate) };
    match published.admit(spend, now) {
        Admission::Refused(refusal) => Some(refused(refusal)),
        Admission::Critical | Admission::Unenforced | Admission::Fits => None,
    }
}

/// What a reader sees at this instant.
pub fn view(published: &Published, now: Now) -> View {
    let standing = |standing: lead_factory_metrics::budget::Standing| command::Standing {
        limit: standing.limit_usd.pico(),
        spent: standing.spent_usd.pico(),
        reserved: standing.reserved_usd.pico(),
        remaining: standing.remaining_usd.pico(),
        state: format!("{:?}", standing.state).to_lowercase(),
        period: (nanos(standing.period_start), nanos(standing.period_end)),
        name: word(&standing.name),
    };
    let (views, gate) = (&published.views, published.gate(now));
    let period = |kind| published.policy.zone.period_of(kind, now.time);
    let today = match period(PeriodKind::Daily) {
        Period::Day(day) => views.day(day),
        Period::Month(_) => None,
    };
    let services = today.into_iter().flat_map(|costs| costs.services());
    View {
        budgets: published.standings(now).into_iter().map(standing).collect(),
        gate_active: gate.active,
        gate_mode: gate.mode.as_str().to_owned(),
        held: views.holds.held(now.steady),
        expired: views.holds.expired(now.steady),
        today: services.map(|(name, sums)| (word(name.as_str()), sums.net().pico())).collect(),
        month: views.sums(None, period(PeriodKind::Monthly)).net().pico(),
        entries: views.entries,
    }
}
