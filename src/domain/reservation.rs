//! Money that is set aside before the work is done.
//!
//! *Invariants.* A reservation begins as held and ends once: settled with its real cost, released, or, when nobody said
//! anything in time, expired; an expired one may still be settled or released. What it was made for never changes.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use super::{CostEvent, CostSource, EventKey, Kind, NATIVE_ROAD, Name, OPERATION_DEFAULT, Origin, Outcome, UsageCount, Usd};

/// Who a reservation was made for; passed on to the event that settles it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attribution {
    /// The process that does the work.
    pub worker: Option<Box<str>>,
    /// The batch of work.
    pub batch_id: Option<Box<str>>,
    /// The lead it is for.
    pub lead_id: Option<Box<str>>,
}

/// What a worker asks to have set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservationRequest {
    /// The reservation's id: 1 to 200 bytes without control characters.
    pub id: Arc<str>,
    /// Whether the worker chose the id. If not, the agent made it (UUIDv7), so it is new.
    pub id_given: bool,
    /// The service that is going to be paid.
    pub service: Name,
    /// What it will be asked to do.
    pub operation: Name,
    /// The most that it is thought to cost; zero or more.
    pub estimated_cost: Usd,
    /// How long it is held: 1 to 86,400 seconds.
    pub ttl_seconds: u32,
    /// Who it is for; `None` when nothing is said of it.
    pub attribution: Option<Arc<Attribution>>,
    /// The model that is going to be used, where the worker says so.
    pub model: Option<Box<str>>,
    /// What is going to be used at most, ordered by kind, each kind once: what budgets in other units than money set aside.
    pub usage: Vec<UsageCount>,
}

/// What the work really cost, and what else is known of it: the part of an event that the reservation does not know.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    /// The cost; zero or more, also above the estimate.
    pub amount: Usd,
    /// How that is known.
    pub cost: CostSource,
    /// When it happened.
    pub time: Timestamp,
    /// Whether the worker said when. If not, `time` is when the settlement was received.
    pub time_given: bool,
    /// The model or tier that was used.
    pub model: Option<Box<str>>,
    /// Quantities, ordered by kind, each kind once.
    pub usage: Vec<UsageCount>,
    /// How long the call took: finite, zero or more.
    pub duration_seconds: Option<f64>,
    /// How the call ended.
    pub outcome: Outcome,
    /// A JSON object, kept to the letter; at most 4 KiB.
    pub attributes: Option<Box<str>>,
}

/// Where a reservation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReservationState {
    /// It counts against every budget that covers it.
    Held,
    /// Its time ran out. It counts no more.
    Expired,
    /// The work was not done.
    Released {
        /// Why, if the worker said so.
        reason: Option<Box<str>>,
    },
    /// The work was done, and its cost is recorded.
    Settled {
        /// What it really cost.
        amount: Usd,
    },
}

/// A state without what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum ReservationStage {
    /// See [`ReservationState::Held`].
    Held,
    /// See [`ReservationState::Expired`].
    Expired,
    /// See [`ReservationState::Released`].
    Released,
    /// See [`ReservationState::Settled`]. Its word is "committed", as the route that settles a reservation ends in `/commit`.
    #[serde(rename = "committed")]
    #[strum(serialize = "committed")]
    Settled,
}

/// Money set aside under an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// What was asked for.
    pub request: ReservationRequest,
    /// Granted whatever the budgets said, because its operation is critical.
    pub critical: bool,
    /// When it was granted.
    pub created_at: Timestamp,
    /// When it lapses (or lapsed) unless it ends before: by the wall clock of the moment at which it was last extended.
    pub expires_at: Timestamp,
    /// When it lapsed or ended; `None` while it is held.
    pub ended_at: Option<Timestamp>,
    /// Where it stands.
    pub state: ReservationState,
}

impl ReservationState {
    /// The state's name.
    pub const fn stage(&self) -> ReservationStage {
        match self {
            Self::Held => ReservationStage::Held,
            Self::Expired => ReservationStage::Expired,
            Self::Released { .. } => ReservationStage::Released,
            Self::Settled { .. } => ReservationStage::Settled,
        }
    }
}

impl ReservationStage {
    /// The word used in JSON, labels and the ledger.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Reservation {
    /// When it would lapse had nobody extended it: what its first answer said.
    pub fn first_expires_at(&self) -> Timestamp {
        after(self.created_at, self.request.ttl_seconds)
    }
}

impl Attribution {
    /// As a reservation carries it.
    pub fn shared(self) -> Option<Arc<Self>> {
        (self != Self::default()).then(|| Arc::new(self))
    }

    fn complete(&self, event: &mut CostEvent) {
        let complete = |open: &mut Option<Box<str>>, known: &Option<Box<str>>| {
            if open.is_none() {
                open.clone_from(known);
            }
        };
        complete(&mut event.worker, &self.worker);
        complete(&mut event.batch_id, &self.batch_id);
        complete(&mut event.lead_id, &self.lead_id);
    }
}

impl ReservationRequest {
    /// The event that records what the work cost.
    pub fn event(&self, settlement: Settlement) -> CostEvent {
        let mut event = CostEvent {
            key: EventKey { source: "".into(), id: Box::from(&*self.id) },
            service: self.service.clone(),
            operation: self.operation.clone(),
            amount: settlement.amount,
            kind: Kind::Charge,
            time: settlement.time,
            time_given: settlement.time_given,
            worker: None,
            batch_id: None,
            lead_id: None,
            model: settlement.model.or_else(|| self.model.clone()),
            usage: settlement.usage,
            duration_seconds: settlement.duration_seconds,
            outcome: settlement.outcome,
            attributes: settlement.attributes,
            revision: 0,
            first_recorded_at: None,
            origin: match settlement.cost {
                CostSource::Told => None,
                cost => Some(Box::new(Origin { cost, ..Origin::of(NATIVE_ROAD) })),
            },
        };
        self.complete(&mut event);
        event
    }

    /// Says in an event under the reservation's id what it leaves open: for which operation, with which model, and for whom.
    pub fn complete(&self, event: &mut CostEvent) {
        if event.operation.as_str() == OPERATION_DEFAULT {
            event.operation.clone_from(&self.operation);
        }
        if let Some(attribution) = &self.attribution {
            attribution.complete(event);
        }
        if event.model.is_none() {
            event.model.clone_from(&self.model);
        }
    }

    /// Who it is for, part by part.
    pub fn attributed_to(&self) -> [Option<&str>; 3] {
        let Some(attribution) = &self.attribution else { return [None; 3] };
        [&attribution.worker, &attribution.batch_id, &attribution.lead_id].map(Option::as_deref)
    }
}

/// So many seconds after an instant; the end of time if that is beyond it.
pub fn after(start: Timestamp, seconds: u32) -> Timestamp {
    start.checked_add(jiff::SignedDuration::from_secs(i64::from(seconds))).unwrap_or(Timestamp::MAX)
}

/// The fields in which a second request under a known id differs from the first, by their names in JSON. Empty: it is a retry. One whose cost
/// is what the prices made of its model and usage is compared by those: prices change.
pub fn differing_request_fields(
    first: &ReservationRequest,
    retry: &ReservationRequest,
    is_priced: bool,
) -> Vec<&'static str> {
    let ([worker, batch_id, lead_id], [worker_again, batch_id_again, lead_id_again]) =
        (first.attributed_to(), retry.attributed_to());
    let pairs = [
        ("service", first.service == retry.service),
        ("operation", first.operation == retry.operation),
        ("estimated_cost_usd", is_priced || first.estimated_cost == retry.estimated_cost),
        ("ttl_seconds", first.ttl_seconds == retry.ttl_seconds),
        ("worker", worker == worker_again),
        ("batch_id", batch_id == batch_id_again),
        ("lead_id", lead_id == lead_id_again),
        ("model", first.model == retry.model),
        ("usage", first.usage == retry.usage),
    ];
    pairs.into_iter().filter(|(_, same)| !same).map(|(field, _)| field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> ReservationRequest {
        let attribution = Attribution { worker: Some("w".into()), batch_id: Some("b".into()), lead_id: Some("l".into()) };
        ReservationRequest {
            id: "r-1".into(),
            id_given: true,
            service: Name::new("openai").unwrap(),
            operation: Name::new("chat").unwrap(),
            estimated_cost: Usd::from_dollars(2),
            ttl_seconds: 60,
            attribution: attribution.shared(),
            model: Some("gpt-5".into()),
            usage: UsageCount::list(&[("input_tokens", 7)]),
        }
    }

    fn settlement(cost: CostSource) -> Settlement {
        Settlement {
            amount: Usd::from_dollars(3),
            cost,
            time: "2026-11-22T10:00:00Z".parse().unwrap(),
            time_given: true,
            model: None,
            usage: UsageCount::list(&[("input_tokens", 5)]),
            duration_seconds: Some(1.5),
            outcome: Outcome::Error,
            attributes: Some("{}".into()),
        }
    }

    #[test]
    fn the_event_says_what_was_paid_and_whom_the_reservation_was_for() {
        let event = request().event(settlement(CostSource::Told));
        let expected = CostEvent {
            key: EventKey { source: "".into(), id: "r-1".into() },
            amount: Usd::from_dollars(3),
            worker: Some("w".into()),
            batch_id: Some("b".into()),
            lead_id: Some("l".into()),
            model: Some("gpt-5".into()),
            usage: UsageCount::list(&[("input_tokens", 5)]),
            duration_seconds: Some(1.5),
            outcome: Outcome::Error,
            attributes: Some("{}".into()),
            ..CostEvent::example()
        };
        assert_eq!(event, expected);
        let unpriced = request().event(settlement(CostSource::Unpriced));
        let origin = Origin { cost: CostSource::Unpriced, ..Origin::of(NATIVE_ROAD) };
        assert_eq!(unpriced.origin.as_deref(), Some(&origin));
        let other_model = Settlement { model: Some("gpt-5-mini".into()), ..settlement(CostSource::Told) };
        assert_eq!(request().event(other_model).model.as_deref(), Some("gpt-5-mini"));
    }

    #[test]
    fn what_an_event_says_itself_stays() {
        let said = CostEvent { worker: Some("other".into()), model: Some("o3".into()), ..CostEvent::example() };
        let mut completed = said.clone();
        request().complete(&mut completed);
        let expected = CostEvent { batch_id: Some("b".into()), lead_id: Some("l".into()), ..said };
        assert_eq!(completed, expected);
        let mut alone = CostEvent::example();
        ReservationRequest { attribution: None, model: None, ..request() }.complete(&mut alone);
        assert_eq!(alone, CostEvent::example());
        let [chat, other, unsaid] = ["chat", "other", OPERATION_DEFAULT].map(|name| Name::new(name).unwrap());
        let completed = |operation: &Name| {
            let mut event = CostEvent { operation: operation.clone(), ..CostEvent::example() };
            ReservationRequest { operation: chat.clone(), ..request() }.complete(&mut event);
            event.operation
        };
        assert_eq!([&other, &unsaid].map(completed), [other.clone(), chat.clone()]);
    }

    #[test]
    fn a_retry_differs_in_every_field_that_says_something_else() {
        let first = request();
        assert_eq!(differing_request_fields(&first, &request(), false), [] as [&str; 0]);
        let another_id = ReservationRequest { id: "r-2".into(), id_given: false, ..request() };
        assert_eq!(
            differing_request_fields(&first, &another_id, false),
            [] as [&str; 0],
            "the id is what both are known by"
        );
        let retry = ReservationRequest {
            service: Name::new("other").unwrap(),
            operation: Name::new("other").unwrap(),
            estimated_cost: Usd::ZERO,
            ttl_seconds: 61,
            attribution: None,
            model: None,
            usage: vec![],
            ..request()
        };
        let all =
            ["service", "operation", "estimated_cost_usd", "ttl_seconds", "worker", "batch_id", "lead_id", "model", "usage"];
        assert_eq!(differing_request_fields(&first, &retry, false), all);
        let priced = ["service", "operation", "ttl_seconds", "worker", "batch_id", "lead_id", "model", "usage"];
        assert_eq!(differing_request_fields(&first, &retry, true), priced);
        let for_another = Attribution { lead_id: Some("m".into()), ..Attribution::clone(&request().attribution.unwrap()) };
        let retry = ReservationRequest { attribution: for_another.shared(), ..request() };
        assert_eq!(differing_request_fields(&first, &retry, false), ["lead_id"]);
    }

    #[test]
    fn nothing_said_of_whom_it_is_for_is_no_attribution() {
        assert_eq!(Attribution::default().shared(), None);
        assert_eq!(request().attributed_to(), [Some("w"), Some("b"), Some("l")]);
        assert_eq!(ReservationRequest { attribution: None, ..request() }.attributed_to(), [None; 3]);
    }

    #[test]
    fn a_stage_has_the_word_of_its_route() {
        let amount = Usd::ZERO;
        for (state, word) in [
            (ReservationState::Held, "held"),
            (ReservationState::Expired, "expired"),
            (ReservationState::Released { reason: None }, "released"),
            (ReservationState::Settled { amount }, "committed"),
        ] {
            assert_eq!(state.stage().as_str(), word);
        }
    }

    #[test]
    fn a_reservation_lapses_its_seconds_after_it_was_made_and_at_the_end_of_time_at_the_latest() {
        let created_at: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let made = |created_at| Reservation {
            request: request(),
            critical: false,
            created_at,
            expires_at: Timestamp::MAX,
            ended_at: None,
            state: ReservationState::Held,
        };
        assert_eq!(made(created_at).first_expires_at().to_string(), "2026-11-22T10:01:00Z");
        assert_eq!(made(Timestamp::MAX).first_expires_at(), Timestamp::MAX);
    }
}
