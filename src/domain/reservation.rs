//! Money that is set aside before the work is done.
//!
//! *Invariants.* A reservation begins as held and ends once: settled with its real cost, released, or, when nobody said
//! anything in time, expired; an expired one may still be settled or released. What it was made for never changes.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use super::{CostEvent, CostSource, EventKey, Kind, NATIVE_ROAD, Name, Origin, Outcome, UsageCount, Usd};

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

    /// Says in an event under the reservation's id what it leaves open of whom it is for.
    pub fn complete(&self, event: &mut CostEvent) {
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

/// The fields in which a second request under a known id differs from the first, by their names in JSON. Empty: it is a retry.
pub fn differing_request_fields(first: &ReservationRequest, retry: &ReservationRequest) -> Vec<&'static str> {
    let ([worker, batch_id, lead_id], [worker_again, batch_id_again, lead_id_again]) =
        (first.attributed_to(), retry.attributed_to());
    let pairs = [
        ("service", first.service == retry.service),
        ("operation", first.operation == retry.operation),
        ("estimated_cost_usd", first.estimated_cost == retry.estimated_cost),
        ("ttl_seconds", first.ttl_seconds == retry.ttl_seconds),
        ("worker", worker == worker_again),
        ("batch_id", batch_id == batch_id_again),
        ("lead_id", lead_id == lead_id_again),
        ("model", first.model == retry.model),
        ("usage", first.usage == retry.usage),
    ];
    pairs.into_iter().filter(|(_, same)| !same).map(|(field, _)| field).collect()
}
