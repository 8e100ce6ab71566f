//! Why the agent did not start, or did not end as it was asked to.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::ledger::{LedgerError, OpenError};
use crate::telemetry::TelemetryError;
use crate::writer::StartError;

/// Why the agent did not start, or did not end as it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The Unix socket cannot be listened on.
    #[error("cannot listen on the socket {}", path.display())]
    ListenSocket {
        /// The path.
        path: PathBuf,
        /// What the system said, or what is there.
        #[source]
        source: io::Error,
    },
    /// The ledger cannot be had.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The writer did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There can be no metrics.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// What tells the ledger from others cannot be read.
    #[error("cannot take part in the fleet")]
    Fleet(#[source] LedgerError),
    /// The system refused something that every start needs.
    #[error("cannot start")]
    System(#[source] io::Error),
    /// A sync failed while running.
    #[error("the disk failed to sync the ledger; restart the agent so that it reads what was really written")]
    SyncFailed,
    /// The writer was not done in time. What was answered is in the ledger all the same.
    #[error("the ledger did not finish writing in time")]
    ShutdownTooSlow,
}
