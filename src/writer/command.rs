//! What the writer is asked to do.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::answer::{RecordAnswer, RecordError, ReservationAnswer, Taking};
use super::rate::{RateAnswer, RateOrder};
use crate::budget::{AllowanceOrder, InUse, Policy};
use crate::domain::{CostEvent, GateOverride, LimitOverride, ReservationRequest, Settlement};
use crate::ledger::DeliveryReport;

/// What may be asked about a reservation.
#[derive(Clone, Debug)]
pub enum ReservationCommand {
    /// Set money aside.
    Reserve {
        /// What for.
        request: ReservationRequest,
        /// Whether the estimate is what the prices make of its model and usage.
        is_priced: bool,
        /// Whether this is the last try: one that goes beyond what this agent may use of a fleet's budget is tried again.
        is_last: bool,
    },
    /// Record the real cost and end the hold.
    Settle {
        /// The reservation's id.
        id: Arc<str>,
        /// What the work cost.
        settlement: Settlement,
    },
    /// End the hold without cost.
    Release {
        /// The reservation's id.
        id: Arc<str>,
        /// Why, if the worker says so.
        reason: Option<Box<str>>,
    },
    /// Hold it until so long from now, if that is later.
    Extend {
        /// The reservation's id.
        id: Arc<str>,
        /// 1 to 86,400 seconds from now.
        ttl_seconds: u32,
    },
}

/// What an operator wants of the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GateOrder {
    /// To be as said until it lapses or another order comes. `since` is when it was received.
    Manual(GateOverride),
    /// To follow the budgets again.
    Auto {
        /// Why; 1 to 500 bytes.
        reason: String,
        /// Who says so; at most 200 bytes, empty when not said.
        actor: String,
        /// The name of the token that it was sent with, if that has one.
        token: Option<Box<str>>,
    },
}

/// Told what became of a command, also when nobody waits any more. It runs on the writer's thread, so it must be short.
pub type Receipt<T = RecordAnswer> = Box<dyn FnOnce(&T) + Send>;

/// Where the answer to a command goes.
pub(super) struct Reply<T> {
    receipt: Receipt<T>,
    waiting: oneshot::Sender<T>,
}

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Record a batch.
    Record { events: Vec<CostEvent>, taking: Taking, reply: Reply<RecordAnswer> },
    /// Do something with a reservation.
    Reservation { command: ReservationCommand, reply: Reply<ReservationAnswer> },
    /// Rate events.
    Rate { order: RateOrder, reply: Reply<Result<RateAnswer, RecordError>> },
    /// Have the gate follow an operator's word, or the budgets again.
    SetGate { order: GateOrder, reply: Reply<Result<(), RecordError>> },
    /// Have a budget's limit be what somebody says, or that of the settings again.
    SetLimit { line: LimitOverride, reply: Reply<Result<(), RecordError>> },
    /// Change what this agent may use of budgets that a fleet shares.
    OrderAllowances { orders: Vec<AllowanceOrder>, reply: Reply<Result<Vec<Option<InUse>>, RecordError>> },
    /// Judge by this policy from now on. Whoever waits for that hears when the sender is dropped.
    SetPolicy { policy: Arc<Policy>, in_force: oneshot::Sender<()> },
    /// Write down what became of webhooks' messages.
    ReportDeliveries(Vec<DeliveryReport>),
    /// Look at the clock: periods may have ended, ids may be forgotten.
    Tick,
    /// Finish what is queued and stop.
    Stop,
}

// === impl Reply ===

impl<T> Reply<T> {
    pub fn new(receipt: Receipt<T>) -> (Self, oneshot::Receiver<T>) {
        let (waiting, answer) = oneshot::channel();
        (Self { receipt, waiting }, answer)
    }

    pub fn send(self, outcome: T) {
        (self.receipt)(&outcome);
        // Nobody waits where the client hung up.
        let _ = self.waiting.send(outcome);
    }
}

impl<T> std::fmt::Debug for Reply<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Reply")
    }
}

// === impl Command ===

impl Command {
    /// Events that it may add to the ledger.
    pub fn events_len(&self) -> usize {
        match self {
            Self::Record { events, .. } => events.len(),
            Self::Rate { order, .. } => order.events.len(),
            Self::Reservation { command: ReservationCommand::Settle { .. }, .. } => 1,
            Self::Reservation { .. } | Self::SetGate { .. } | Self::SetLimit { .. } | Self::SetPolicy { .. } => 0,
            Self::OrderAllowances { .. } => 0,
            Self::ReportDeliveries(_) | Self::Tick | Self::Stop => 0,
        }
    }

    /// When the events that it may add happened.
    pub fn event_times(&self) -> impl Iterator<Item = Timestamp> {
        let (events, settlement, rated) = match self {
            Self::Record { events, .. } => (events.as_slice(), None, [].as_slice()),
            Self::Reservation { command: ReservationCommand::Settle { settlement, .. }, .. } => {
                ([].as_slice(), Some(settlement), [].as_slice())
            }
            Self::Rate { order, .. } => ([].as_slice(), None, order.events.as_slice()),
            _ => ([].as_slice(), None, [].as_slice()),
        };
        let times = events.iter().map(|event| event.time).chain(settlement.map(|settlement| settlement.time));
        times.chain(rated.iter().map(|rated| rated.time))
    }

    /// Revisions that leave open when their events happened.
    pub fn revisions_without_time(&self) -> impl Iterator<Item = &CostEvent> {
        let events = if let Self::Record { events, .. } = self { events.as_slice() } else { &[] };
        events.iter().filter(|event| event.revision > 0 && !event.time_given)
    }

    /// Tells whoever waits that it was not done.
    pub fn refuse(self, why: RecordError) {
        match self {
            Self::Record { reply, .. } => reply.send(Err(why)),
            Self::Reservation { reply, .. } => reply.send(Err(why.into())),
            Self::SetGate { reply, .. } | Self::SetLimit { reply, .. } => reply.send(Err(why)),
            Self::Rate { reply, .. } => reply.send(Err(why)),
            Self::OrderAllowances { reply, .. } => reply.send(Err(why)),
            Self::SetPolicy { .. } | Self::ReportDeliveries(_) | Self::Tick | Self::Stop => {}
        }
    }
}
