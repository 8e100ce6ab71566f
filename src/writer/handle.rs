//! The way in: the queue of the writer.
//!
//! *Limits.* [`QUEUE_MESSAGES_MAX`].

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::Health;
use super::answer::{RecordAnswer, RecordError, ReservationAnswer, Taking};
use super::bell::Bell;
use super::command::{Command, GateOrder, Receipt, Reply, ReservationCommand};
use super::rate::{RateAnswer, RateOrder};
use crate::budget::{AllowanceOrder, InUse, Policy};
use crate::domain::{CostEvent, LimitOverride};
use crate::ledger::DeliveryReport;

/// Messages that may wait for the writer; at the bound the sender is told `Overloaded`. With up to 512 connections, each
/// waiting for one message, this is reached only when clients hang up and come back faster than the disk commits.
pub const QUEUE_MESSAGES_MAX: usize = 1_024;

/// A handle to the one writer. Cloning it shares the queue; when the last one is dropped the writer drains and stops, at its next
/// ring.
#[derive(Clone, Debug)]
pub struct Writer {
    commands: mpsc::Sender<Command>,
    bell: Bell,
    queued_events: Arc<AtomicUsize>,
    health: Health,
}

impl Writer {
    pub(super) fn new(commands: mpsc::Sender<Command>, bell: Bell, queued_events: Arc<AtomicUsize>, health: Health) -> Self {
        Self { commands, bell, queued_events, health }
    }

    /// Records a batch; `receipt` is told what became of it. When the answer is `Ok`, the events are synced to
    /// disk and visible to every read that starts from now on. The events are queued when this returns: dropping the answer
    /// gives up the wait, never the work.
    ///
    /// # Errors
    /// The answer's: see [`RecordError`]; in each case nothing of the batch was acknowledged.
    pub fn record(
        &self,
        events: Vec<CostEvent>,
        taking: Taking,
        receipt: Receipt,
    ) -> impl Future<Output = RecordAnswer> + Send + use<> {
        let (reply, answer) = Reply::new(receipt);
        self.queue(Command::Record { events, taking, reply });
        async move {
            // The writer answers every command it takes; a dropped sender means it stopped with this one still queued.
            answer.await.unwrap_or(Err(RecordError::Unavailable))
        }
    }

    /// Does something with a reservation; `receipt` is told what became of it. When the answer is `Ok`, it is synced to disk and
    /// visible to every read that starts from now on. Dropping the answer gives up the wait, never the work.
    ///
    /// # Errors
    /// The answer's: see [`ReservationError`](super::ReservationError).
    pub fn reservation(
        &self,
        command: ReservationCommand,
        receipt: Receipt<ReservationAnswer>,
    ) -> impl Future<Output = ReservationAnswer> + Send + use<> {
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

    /// Has a budget's limit be what somebody says, or that of the settings again. When the answer is `Ok`, the change is synced to disk
    /// and published.
    ///
    /// # Errors
    /// The answer's: the ledger did not take it.
    pub fn set_limit(&self, line: LimitOverride) -> impl Future<Output = Result<(), RecordError>> + Send + use<> {
        let (reply, answer) = Reply::new(Box::new(|_| {}));
        self.queue(Command::SetLimit { line, reply });
        async move { answer.await.unwrap_or(Err(RecordError::Unavailable)) }
    }

    /// Changes what this agent may use of budgets that a fleet shares, in the order of everything else: nothing that is asked for later is
    /// granted beyond it. The answer says of each order what is used then; `None` where no such budget is in force. Allowances are kept in
    /// memory alone.
    ///
    /// # Errors
    /// The answer's: nothing was changed.
    pub fn order_allowances(
        &self,
        orders: Vec<AllowanceOrder>,
    ) -> impl Future<Output = Result<Vec<Option<InUse>>, RecordError>> + Send + use<> {
        let (reply, answer) = Reply::new(Box::new(|_| {}));
        self.queue(Command::OrderAllowances { orders, reply });
        async move { answer.await.unwrap_or(Err(RecordError::Unavailable)) }
    }

    /// Rates events, each at most once by what it says then. When the answer is `Ok`, the adjustments are synced to disk and published.
    ///
    /// # Errors
    /// The answer's: the ledger did not take them. The same order may be given again.
    pub fn rate(&self, order: RateOrder) -> impl Future<Output = Result<RateAnswer, RecordError>> + Send + use<> {
        let (reply, answer) = Reply::new(Box::new(|_| {}));
        self.queue(Command::Rate { order, reply });
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
    pub fn report_deliveries(&self, reports: Vec<DeliveryReport>) {
        self.queue(Command::ReportDeliveries(reports));
    }

    /// Has budgets and gate judged by another policy from now on. Its zone must be the one the writer was started with: days are
    /// counted anew only at a start. Returns once it is in force, or kept for when the ledger can be read again.
    ///
    /// # Errors
    /// The writer has stopped.
    pub async fn set_policy(&self, policy: Arc<Policy>) -> Result<(), RecordError> {
        let (in_force, is_in_force) = oneshot::channel();
        let sent = self.commands.send(Command::SetPolicy { policy, in_force }).await;
        self.bell.ask();
        sent.map_err(|_| RecordError::ShuttingDown)?;
        // It is only ever dropped.
        let _ = is_in_force.await;
        Ok(())
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
