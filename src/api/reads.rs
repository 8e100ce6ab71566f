//! Questions to the ledger's file, asked beside the async threads.
//!
//! *Limits.* [`LOOKUPS_MAX`] short reads and [`SCANS_MAX`] long ones at once; further ones wait, at most until their call times
//! out. A read whose asker is gone stops.

use std::sync::Arc;

use tokio::sync::{Semaphore, oneshot};

use super::problem::Problem;
use crate::ledger::{LedgerError, Reader};

/// Reads of rollups and of the gate's history at once: each takes milliseconds.
const LOOKUPS_MAX: usize = 4;
/// Reads of raw events at once: each takes a core and seconds, and the writer needs one too.
const SCANS_MAX: usize = 1;

/// Bounded access to the ledger's reader.
#[derive(Debug)]
pub(super) struct Reads {
    reader: Arc<Reader>,
    lookups: Arc<Semaphore>,
    scans: Arc<Semaphore>,
}

impl Reads {
    pub fn new(reader: Reader) -> Self {
        let slots = |max| Arc::new(Semaphore::new(max));
        Self { reader: Arc::new(reader), lookups: slots(LOOKUPS_MAX), scans: slots(SCANS_MAX) }
    }

    /// A short read.
    ///
    /// # Errors
    /// `ledger-unavailable` when the file cannot be read; `internal` when the read panicked.
    pub async fn look_up<T, R>(&self, read: R) -> Result<T, Problem>
    where
        T: Send + 'static,
        R: FnOnce(&Reader, &dyn Fn() -> bool) -> Result<T, LedgerError> + Send + 'static,
    {
        self.run(&self.lookups, read).await
    }

    /// A read that goes through events. It is told by its second argument when nobody waits for it any more.
    ///
    /// # Errors
    /// As for a short one.
    pub async fn scan<T, R>(&self, read: R) -> Result<T, Problem>
    where
        T: Send + 'static,
        R: FnOnce(&Reader, &dyn Fn() -> bool) -> Result<T, LedgerError> + Send + 'static,
    {
        self.run(&self.scans, read).await
    }

    async fn run<T, R>(&self, slots: &Arc<Semaphore>, read: R) -> Result<T, Problem>
    where
        T: Send + 'static,
        R: FnOnce(&Reader, &dyn Fn() -> bool) -> Result<T, LedgerError> + Send + 'static,
    {
        // Never closed, so this cannot fail.
        let slot = Arc::clone(slots).acquire_owned().await.map_err(|_| Problem::ShuttingDown)?;
        let reader = Arc::clone(&self.reader);
        let (tell, told) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            let outcome = read(&reader, &|| tell.is_closed());
            // The slot is free when the work is over, not when its asker leaves.
            drop(slot);
            // Nobody listens where the client hung up.
            let _ = tell.send(outcome);
        });
        match told.await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a read of the ledger failed");
                Err(Problem::LedgerUnavailable)
            }
            Err(_panicked) => Err(Problem::Internal),
        }
    }
}
