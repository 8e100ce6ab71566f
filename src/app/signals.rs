//! What the system may ask of the agent while it runs.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signal number of SIGXFSZ. Its default action kills the process when the ledger meets a file size limit; handled, the write
/// fails like on a full disk.
const SIGXFSZ: i32 = 25;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// An orderly end (SIGTERM, SIGINT).
    Stop,
    /// The settings once more (SIGHUP).
    Reload,
}

/// The signals that are handled.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    _file_size: Signal,
}

impl Signals {
    /// Handles these signals from now on.
    pub fn register() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            _file_size: signal(SignalKind::from_raw(SIGXFSZ))?,
        })
    }

    /// Waits for one that asks for something.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }
}
