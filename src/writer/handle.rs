//! The way in: what other stages may ask of the writer, and what they hear back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// Where the answer to a batch goes.
pub(super) type Reply = oneshot::Sender<Result<Recorded, RecordError>>;

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
    queued_events: Arc<AtomicUsize>,
    health: Health,
}

impl Writer {
    pub(super) fn new(commands: mpsc::Sender<Command>, queued_events: Arc<AtomicUsize>, health: Health) -> Self {
        Self { commands, queued_events, health }
    }

    /// Records a batch, all or nothing. When this returns `Ok`, the events are synced to disk and visible to every read that
    /// starts from now on. Dropping the future gives up the wait, never the work.
    ///
    /// # Errors
    /// See [`RecordError`]; in each case nothing of the batch was acknowledged.
    pub async fn record(&self, events: Vec<CostEvent>) -> Result<Recorded, RecordError> {
        if self.health.problem().is_some() {
            return Err(RecordError::Unavailable);
        }
        let (reply, answer) = oneshot::channel();
        let count = events.len();
        self.queued_events.fetch_add(count, Ordering::Relaxed);
        if let Err(refused) = self.commands.try_send(Command::Record { events, reply }) {
            self.queued_events.fetch_sub(count, Ordering::Relaxed);
            return Err(match refused {
                mpsc::error::TrySendError::Full(_) => RecordError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => RecordError::ShuttingDown,
            });
        }
        // The writer answers every command it takes; a dropped sender means it stopped with this one still queued.
        answer.await.unwrap_or(Err(RecordError::Unavailable))
    }

    /// Has budgets and gate judged by another policy from now on. Its zone must be the one the writer was started with: days are
    /// counted anew only at a start.
    ///
    /// # Errors
    /// The writer has stopped.
    pub async fn set_policy(&self, policy: Arc<Policy>) -> Result<(), RecordError> {
        self.commands.send(Command::SetPolicy(policy)).await.map_err(|_| RecordError::ShuttingDown)
    }

    /// Asks the writer to take no more, to finish what it has taken, and to stop.
    pub async fn stop(&self) {
        // A closed queue means that it has stopped already.
        let _ = self.commands.send(Command::Stop).await;
    }

    /// Whether cost can be recorded right now.
    pub fn health(&self) -> &Health {
        &self.health
    }
}
