//! The state of the task, and why a connection ends.
//!
//! *Limits.* [`STEP_MAX`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::publisher::Publisher;
use super::targets::Targets;
use crate::domain::Steady;
use crate::fleet::Settings;
use crate::fleet::desk::Desk;
use crate::fleet::instruments::Instruments;
use crate::fleet::parts::FleetParts;
use crate::fleet::postgres::{AgentKey, DatabaseError};
use crate::fleet::verdict::Want;

/// For an exchange, a look, or a connection.
pub(super) const STEP_MAX: Duration = Duration::from_millis(2_000);

/// The task's state.
pub(super) struct Sync {
    pub settings: Arc<Settings>,
    pub parts: Arc<FleetParts>,
    pub desk: Desk,
    pub instruments: Instruments,
    pub publisher: Publisher,
    pub agent: AgentKey,
    pub targets: Targets,
    pub wants: mpsc::Receiver<Want>,
    pub stops: mpsc::Receiver<oneshot::Sender<()>>,
    /// The database's epoch, once it was heard; 0 before.
    pub epoch: i64,
    /// How many limits that somebody set are known.
    pub overrides: i64,
    /// When the task began.
    pub started: Steady,
    /// A connection was had, and what was heard over it holds still.
    pub is_connected: bool,
}

/// Why a connection is of no use any more.
#[derive(Debug)]
pub(super) enum Ended {
    /// Something is wrong with it.
    Failed(DatabaseError),
    /// Another process speaks for this ledger, or may.
    Replaced,
    /// Nobody can ask any more, or the end is asked for.
    Stopped(Option<oneshot::Sender<()>>),
}

/// Does something in time.
pub(super) async fn within<T>(work: impl Future<Output = Result<T, DatabaseError>>) -> Result<T, Ended> {
    timeout(STEP_MAX, work).await.unwrap_or(Err(DatabaseError::TimedOut)).map_err(Ended::Failed)
}
