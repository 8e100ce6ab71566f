//! What those who ask the writer hear back.

use crate::budget::Refusal;
use crate::domain::{EventKey, Reservation, ReservationStage, Usd};

/// What of a batch is to be taken when some of its events contradict what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taking {
    /// Nothing.
    AllOrNothing,
    /// The others.
    GoodOnes,
    /// All: they are calls that may come over several roads, and what these tell is put together.
    Calls,
}

/// What became of a batch that was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Events that are new in the ledger.
    pub accepted: usize,
    /// Events that were known before with the same content, or are known in a higher revision.
    pub duplicates: usize,
    /// Revisions that have replaced what was known.
    pub revised: usize,
    /// Events that were left out; none where a batch is all or nothing.
    pub conflicts: Vec<Conflict>,
    /// Calls that are known and were answered from a cache this time.
    pub cache_hits: usize,
    /// Calls that say again what charged calls above or below them say, and were left out for that.
    pub aggregates: usize,
    /// Calls whose roads say different amounts: the first `DISAGREEMENTS_MAX`, and how many in all.
    pub disagreements: (Vec<Disagreement>, usize),
    /// Calls that look like one that came over another road.
    pub suspected: usize,
}

/// Disagreements that are told in full.
pub const DISAGREEMENTS_MAX: usize = 20;

/// A call of which two roads say different amounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The call.
    pub key: EventKey,
    /// What it costs.
    pub standing: Usd,
    /// What it costs by the road that is not believed.
    pub other: Usd,
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
pub type RecordAnswer = Result<Recorded, RecordError>;

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
pub type ReservationAnswer = Result<Done, ReservationError>;

impl Recorded {
    /// Notes a disagreement.
    pub(super) fn disagree(&mut self, disagreement: impl FnOnce() -> Disagreement) {
        let (told, count) = &mut self.disagreements;
        *count += 1;
        if told.len() < DISAGREEMENTS_MAX {
            told.push(disagreement());
        }
    }
}

impl From<Vec<Conflict>> for RecordError {
    fn from(conflicts: Vec<Conflict>) -> Self {
        Self::Conflict(conflicts)
    }
}
