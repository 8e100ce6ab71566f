//! The way in: what other stages may ask of the writer, and what they hear back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Thread;

use tokio::sync::{mpsc, oneshot};

use super::Health;
use crate::budget::Policy;
use crate::domain::CostEvent;

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

/// Told what became of a batch, also when nobody waits any more. It runs on the writer's thread, so it must be short.
pub type Receipt = Box<dyn FnOnce(&Outcome) + Send>;

/// Where the answer to a batch goes.
pub(super) struct Reply {
    receipt: Receipt,
    waiting: oneshot::Sender<Outcome>,
}

/// Wakes the writer when it is dropped, to look at its queue. A queue that woke the writer by itself would do so for the first
/// command already.
#[derive(Clone, Debug)]
pub(super) struct Bell(pub Thread);

impl Drop for Bell {
    fn drop(&mut self) {
        self.0.unpark();
    }
}

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Record a batch, all or nothing.
    Record { events: Vec<CostEvent>, reply: Reply },
    /// Judge by this policy from now on.
    SetPolicy(Arc<Policy>),
    /// Look at the clock: periods may have ended, ids may be forgotten.
    Tick,
    /// Finish what is queued and stop.
    Stop,
}

/// A handle to the one writer. Cloning it shares the queue; when the last one is dropped the writer drains and stops.
#[derive(Clone, Debug)]
pub struct Writer {
    commands: mpsc::Sender<Command>,
    bell: Bell,
    queued_events: Arc<AtomicUsize>,
    health: Health,
}

// === impl Reply ===

impl Reply {
    pub fn send(self, outcome: Outcome) {
        (self.receipt)(&outcome);
        // Nobody waits where the client hung up.
        let _ = self.waiting.send(outcome);
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Reply")
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
        let (waiting, answer) = oneshot::channel();
        let reply = Reply { receipt, waiting };
        let bell = self.queue(events, reply);
        async move {
            // Whoever else is ready to record queues up before the writer wakes, so that one commit takes all of them. Without
            // this the first of them would have a commit for itself, and the others wait for it.
            tokio::task::yield_now().await;
            drop(bell);
            // The writer answers every command it takes; a dropped sender means it stopped with this one still queued.
            answer.await.unwrap_or(Err(RecordError::Unavailable))
        }
    }

    fn queue(&self, events: Vec<CostEvent>, reply: Reply) -> Option<Bell> {
        if self.health.problem().is_some() {
            reply.send(Err(RecordError::Unavailable));
            return None;
        }
        let count = events.len();
        self.queued_events.fetch_add(count, Ordering::Relaxed);
        let Err(refused) = self.commands.try_send(Command::Record { events, reply }) else {
            return Some(self.bell.clone());
        };
        self.queued_events.fetch_sub(count, Ordering::Relaxed);
        let (refused, why) = match refused {
            mpsc::error::TrySendError::Full(refused) => (refused, RecordError::Overloaded),
            mpsc::error::TrySendError::Closed(refused) => (refused, RecordError::ShuttingDown),
        };
        if let Command::Record { reply, .. } = refused {
            reply.send(Err(why));
        }
        None
    }

    /// Has budgets and gate judged by another policy from now on. Its zone must be the one the writer was started with: days are
    /// counted anew only at a start.
    ///
    /// # Errors
    /// The writer has stopped.
    pub async fn set_policy(&self, policy: Arc<Policy>) -> Result<(), RecordError> {
        let _bell = self.bell.clone();
        self.commands.send(Command::SetPolicy(policy)).await.map_err(|_| RecordError::ShuttingDown)
    }

    /// Asks the writer to take no more, to finish what it has taken, and to stop.
    pub async fn stop(&self) {
        let _bell = self.bell.clone();
        // A closed queue means that it has stopped already.
        let _ = self.commands.send(Command::Stop).await;
    }

    /// Whether cost can be recorded right now.
    pub fn health(&self) -> &Health {
        &self.health
    }
}
