//! The way in: what other stages may ask of the writer, and what they hear back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Thread;

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, oneshot};

use super::Health;
use crate::budget::{Policy, Refusal};
use crate::domain::{CostEvent, GateOverride, Reservation, ReservationRequest, ReservationStage, Settlement};
use crate::ledger::DeliveryReport;

/// Messages that may wait for the writer; at the bound the sender is told `Overloaded`. With up to 512 connections, each
/// waiting for one message, this is reached only when clients hang up and come back faster than the disk commits.
pub const QUEUE_MESSAGES_MAX: usize = 1_024;

/// What became of a batch that was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Events that are new in the ledger.
    pub accepted: usize,
    /// Events that were known before with the same content.
    pub duplicates: usize,
}

/// An event whose id is known with other content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Position in the batch, from 0.
    pub index: usize,
    /// The id in question.
    pub id: Box<str>,
    /// The fields that differ, by their names in JSON.
    pub fields: Vec<&'static str>,
}

/// Why a batch was not recorded. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Ids were used before with other content; the same request will never succeed.
    #[error("{} events carry an id that is known with other content", .0.len())]
    Conflict(Vec<Conflict>),
    /// The queue is full. Retry the same request.
    #[error("the queue of the ledger is full")]
    Overloaded,
    /// It is not known whether the disk has it. Retry the same request under the same ids.
    #[error("the ledger cannot record at the moment")]
    Unavailable,
    /// The agent is stopping. Retry the same request.
    #[error("the agent is shutting down")]
    ShuttingDown,
}

/// What became of a batch.
pub type Outcome = Result<Recorded, RecordError>;

/// What may be asked about a reservation.
#[derive(Clone, Debug)]
pub enum ReservationCommand {
    /// Set money aside.
    Reserve(ReservationRequest),
    /// Record the real cost and end the hold.
    Commit {
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

/// What became of a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The reservation as it stands now.
    pub reservation: Reservation,
    /// `false`: the same was asked and done before.
    pub is_new: bool,
}

/// Why nothing became of it.
#[derive(Debug, thiserror::Error)]
pub enum ReservationError {
    /// There is no reservation under this id, or it ended longer ago than reservations are remembered.
    #[error("there is no such reservation")]
    NotFound,
    /// It may not be spent. Not remembered: the next try is decided anew.
    #[error("it may not be spent")]
    Refused(Refusal),
    /// It is over, and not in the way that was asked for.
    #[error("the reservation is over")]
    Finished(ReservationStage),
    /// The id is known with other content; the names of the fields that differ.
    #[error("the id is known with other content")]
    Conflict(Vec<&'static str>),
    /// The ledger did not take it. Retry the same request under the same id.
    #[error(transparent)]
    NotRecorded(#[from] RecordError),
}

/// What became of a question about a reservation.
pub type ReservationOutcome = Result<Done, ReservationError>;

/// Told what became of a command, also when nobody waits any more. It runs on the writer's thread, so it must be short.
pub type Receipt<T = Outcome> = Box<dyn FnOnce(&T) + Send>;

/// Where the answer to a command goes.
pub(super) struct Reply<T> {
    receipt: Receipt<T>,
    waiting: oneshot::Sender<T>,
}

/// Wakes the writer to look at its queue, after whoever else is ready to record has queued up. A queue that woke the writer by
/// itself would do so for the first command already, which would then have a commit for itself while the others wait for it.
#[derive(Clone, Debug)]
pub(super) struct Bell {
    asked: Arc<Notify>,
    thread: Thread,
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
    },
}

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Record a batch, all or nothing.
    Record { events: Vec<CostEvent>, reply: Reply<Outcome> },
    /// Do something with a reservation.
    Reservation { command: ReservationCommand, reply: Reply<ReservationOutcome> },
    /// Have the gate follow an operator's word, or the budgets again.
    SetGate { order: GateOrder, reply: Reply<Result<(), RecordError>> },
    /// Judge by this policy from now on.
    SetPolicy(Arc<Policy>),
    /// Write down what became of webhooks' messages.
    SettleDeliveries(Vec<DeliveryReport>),
    /// Look at the clock: periods may have ended, ids may be forgotten.
    Tick,
    /// Finish what is queued and stop.
    Stop,
}

/// A handle to the one writer. Cloning it shares the queue; when the last one is dropped the writer drains and stops, at its next
/// ring.
#[derive(Clone, Debug)]
pub struct Writer {
    commands: mpsc::Sender<Command>,
    bell: Bell,
    queued_events: Arc<AtomicUsize>,
    health: Health,
}

// === impl Bell ===

impl Bell {
    /// A bell for this thread. It rings as long as the tokio runtime around this call runs.
    pub fn new(thread: Thread) -> Self {
        let bell = Self { asked: Arc::default(), thread };
        tokio::spawn(bell.clone().ring_when_asked());
        bell
    }

    /// Asks for one ring, soon.
    pub fn ask(&self) {
        self.asked.notify_one();
    }

    async fn ring_when_asked(self) {
        loop {
            self.asked.notified().await;
            // Tokio comes back to a task that yields after all that are ready and those that wait for their sockets.
            tokio::task::yield_now().await;
            self.thread.unpark();
        }
    }
}

// === impl Reply ===

impl<T> Reply<T> {
    fn new(receipt: Receipt<T>) -> (Self, oneshot::Receiver<T>) {
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
            Self::Reservation { command: ReservationCommand::Commit { .. }, .. } => 1,
            Self::Reservation { .. } | Self::SetGate { .. } | Self::SetPolicy(_) => 0,
            Self::SettleDeliveries(_) | Self::Tick | Self::Stop => 0,
        }
    }

    /// When the events that it may add happened.
    pub fn event_times(&self) -> impl Iterator<Item = Timestamp> {
        let (events, settlement) = match self {
            Self::Record { events, .. } => (events.as_slice(), None),
            Self::Reservation { command: ReservationCommand::Commit { settlement, .. }, .. } => {
                ([].as_slice(), Some(settlement))
            }
            _ => ([].as_slice(), None),
        };
        events.iter().map(|event| event.time).chain(settlement.map(|settlement| settlement.time))
    }

    /// Tells whoever waits that it was not done.
    pub fn refuse(self, why: RecordError) {
        match self {
            Self::Record { reply, .. } => reply.send(Err(why)),
            Self::Reservation { reply, .. } => reply.send(Err(why.into())),
            Self::SetGate { reply, .. } => reply.send(Err(why)),
            Self::SetPolicy(_) | Self::SettleDeliveries(_) | Self::Tick | Self::Stop => {}
        }
    }
}

// === impl Writer ===

impl Writer {
    pub(super) fn new(commands: mpsc::Sender<Command>, bell: Bell, queued_events: Arc<AtomicUsize>, health: Health) -> Self {
        Self { commands, bell, queued_events, health }
    }

    /// Records a batch, all or nothing; `receipt` is told what became of it. When the answer is `Ok`, the events are synced to
    /// disk and visible to every read that starts from now on. The events are queued when this returns: dropping the answer
    /// gives up the wait, never the work.
    ///
    /// # Errors
    /// The answer's: see [`RecordError`]; in each case nothing of the batch was acknowledged.
    pub fn record(&self, events: Vec<CostEvent>, receipt: Receipt) -> impl Future<Output = Outcome> + Send + use<> {
        let (reply, answer) = Reply::new(receipt);
        self.queue(Command::Record { events, reply });
        async move {
            // The writer answers every command it takes; a dropped sender means it stopped with this one still queued.
            answer.await.unwrap_or(Err(RecordError::Unavailable))
        }
    }

    /// Does something with a reservation; `receipt` is told what became of it. When the answer is `Ok`, it is synced to disk and
    /// visible to every read that starts from now on. Dropping the answer gives up the wait, never the work.
    ///
    /// # Errors
    /// The answer's: see [`ReservationError`].
    pub fn reservation(
        &self,
        command: ReservationCommand,
        receipt: Receipt<ReservationOutcome>,
    ) -> impl Future<Output = ReservationOutcome> + Send + use<> {
        let (reply, answer) = Reply::new(receipt);
        self.queue(Command::Reservation { command, reply });
        async move { answer.await.unwrap_or(Err(RecordError::Unavailable.into())) }
    }

    /// Has the gate follow an operator's word, or the budgets again. When the answer is `Ok`, the change is synced to disk and
    /// published.
    ///
    /// # Errors
    /// The answer's: the ledger did not take it.
    pub fn set_gate(&self, order: GateOrder) -> impl Future<Output = Result<(), RecordError>> + Send + use<> {
        let (reply, answer) = Reply::new(Box::new(|_| {}));
        self.queue(Command::SetGate { order, reply });
        async move { answer.await.unwrap_or(Err(RecordError::Unavailable)) }
    }

    fn queue(&self, command: Command) {
        if self.health.problem().is_some() {
            return command.refuse(RecordError::Unavailable);
        }
        let count = command.events_len();
        self.queued_events.fetch_add(count, Ordering::Relaxed);
        let Err(refused) = self.commands.try_send(command) else {
            return self.bell.ask();
        };
        self.queued_events.fetch_sub(count, Ordering::Relaxed);
        match refused {
            mpsc::error::TrySendError::Full(refused) => refused.refuse(RecordError::Overloaded),
            mpsc::error::TrySendError::Closed(refused) => refused.refuse(RecordError::ShuttingDown),
        }
    }

    /// Has the next commit write down what became of webhooks' messages. Nobody is told whether it did: look in the ledger, and
    /// report again what is not there.
    pub fn settle_deliveries(&self, reports: Vec<DeliveryReport>) {
        self.queue(Command::SettleDeliveries(reports));
    }

    /// Has budgets and gate judged by another policy from now on. Its zone must be the one the writer was started with: days are
    /// counted anew only at a start.
    ///
    /// # Errors
    /// The writer has stopped.
    pub async fn set_policy(&self, policy: Arc<Policy>) -> Result<(), RecordError> {
        let sent = self.commands.send(Command::SetPolicy(policy)).await;
        self.bell.ask();
        sent.map_err(|_| RecordError::ShuttingDown)
    }

    /// Asks the writer to take no more, to finish what it has taken, and to stop.
    pub async fn stop(&self) {
        // A closed queue means that it has stopped already.
        let _ = self.commands.send(Command::Stop).await;
        self.bell.ask();
    }

    /// Whether cost can be recorded right now.
    pub fn health(&self) -> &Health {
        &self.health
    }
}
