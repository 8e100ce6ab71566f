//! Questions to the ledger's file, asked beside the async threads.
//!
//! *Invariants.* A read whose asker is gone stops, unless its result is kept. Long reads have a thread each, of low priority: whoever
//! records, answers or looks something up goes first.
//!
//! *Limits.* [`LOOKUPS_MAX`] short reads, [`SCANS_MAX`] long ones and [`CATCH_UPS_MAX`] of what was recorded since others at once;
//! further ones wait, at most until their call times out, and as many as leave connections to what asks memory: [`READS_WAITING_MAX`] or
//! less, of which four in six may be short, and one each of the other kinds.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::kept::Kept;
use crate::ledger::{LedgerError, Reader};
use crate::views::Board;

/// Reads of rollups and of the gate's history at once: each takes milliseconds.
const LOOKUPS_MAX: usize = 4;
/// Reads of raw events at once: each takes a core and seconds, and the writer needs one too.
const SCANS_MAX: usize = 1;
/// Reads of what was recorded since: who waits for one finds that it read for him as well.
const CATCH_UPS_MAX: usize = 1;
/// Reads that wait, of all kinds: a short one some milliseconds for each before it.
pub const READS_WAITING_MAX: usize = 192;
/// Fewer would turn away those that come together.
const READS_WAITING_MIN: usize = 24;
/// How much a long read gives way to others: on a busy core it gets a thirtieth of the time of one who does not.
const SCAN_NICENESS: i32 = 15;

/// Bounded access to the ledger's reader.
#[derive(Debug)]
pub struct Reads {
    reader: Arc<Reader>,
    lookups: Slots,
    scans: Slots,
    catch_ups: Slots,
    kept: Arc<Kept>,
}

/// Reads of one kind.
#[derive(Debug)]
struct Slots {
    at_once: Arc<Semaphore>,
    waiting: Semaphore,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read; the log says why.
    #[error("the ledger cannot be read")]
    Unavailable,
    /// The read panicked.
    #[error("a read of the ledger panicked")]
    Panicked,
    /// Too many wait already.
    #[error("too many reads of the ledger wait")]
    Overloaded,
}

impl Slots {
    fn new(at_once: usize, waiting: usize) -> Self {
        Self { at_once: Arc::new(Semaphore::new(at_once)), waiting: Semaphore::new(waiting) }
    }

    /// A slot, at once or after others.
    async fn take(&self) -> Result<OwnedSemaphorePermit, ReadError> {
        if let Ok(slot) = Arc::clone(&self.at_once).try_acquire_owned() {
            return Ok(slot);
        }
        let _place = self.waiting.try_acquire().map_err(|_| ReadError::Overloaded)?;
        // Never closed, so this cannot fail.
        Arc::clone(&self.at_once).acquire_owned().await.map_err(|_| ReadError::Unavailable)
    }
}

impl Reads {
    /// Access to a ledger whose newest state is on the board, for which so many may wait, or the fewest that make sense.
    pub fn new(reader: Reader, board: Arc<Board>, waiting_max: usize) -> Self {
        let sixth = waiting_max.max(READS_WAITING_MIN) / 6;
        Self {
            reader: Arc::new(reader),
            lookups: Slots::new(LOOKUPS_MAX, 4 * sixth),
            scans: Slots::new(SCANS_MAX, sixth),
            catch_ups: Slots::new(CATCH_UPS_MAX, sixth),
            kept: Arc::new(Kept::new(board)),
        }
    }

    /// The days of which sums are kept.
    pub(super) fn kept(&self) -> &Arc<Kept> {
        &self.kept
    }

    /// A short read.
    ///
    /// # Errors
    /// The file cannot be read, the read panicked, or too many wait.
    pub async fn look_up<T, R>(&self, read: R) -> Result<T, ReadError>
    where
        T: Send + 'static,
        R: FnOnce(&Reader, &dyn Fn() -> bool) -> Result<T, LedgerError> + Send + 'static,
    {
        let (work, told) = self.prepare(&self.lookups, read).await?;
        tokio::task::spawn_blocking(work);
        outcome(told).await
    }

    /// A read that goes through events. It is told by its second argument when nobody waits for it any more.
    ///
    /// # Errors
    /// As for a short one.
    pub async fn scan<T, R>(&self, read: R) -> Result<T, ReadError>
    where
        T: Send + 'static,
        R: FnOnce(&Reader, &dyn Fn() -> bool) -> Result<T, LedgerError> + Send + 'static,
    {
        let (work, told) = self.prepare(&self.scans, read).await?;
        give_way(work)?;
        outcome(told).await
    }

    /// A read of what was recorded since another one. One that is not quick gives way to others.
    ///
    /// # Errors
    /// As for a short one.
    pub(super) async fn catch_up<T, R>(&self, is_quick: bool, read: R) -> Result<T, ReadError>
    where
        T: Send + 'static,
        R: FnOnce(&Reader, &dyn Fn() -> bool) -> Result<T, LedgerError> + Send + 'static,
    {
        let (work, told) = self.prepare(&self.catch_ups, read).await?;
        if is_quick {
            tokio::task::spawn_blocking(work);
        } else {
            give_way(work)?;
        }
        outcome(told).await
    }

    /// Waits for a slot.
    async fn prepare<T, R>(
        &self,
        slots: &Slots,
        read: R,
    ) -> Result<(impl FnOnce() + Send + 'static, oneshot::Receiver<Result<T, LedgerError>>), ReadError>
    where
        T: Send + 'static,
        R: FnOnce(&Reader, &dyn Fn() -> bool) -> Result<T, LedgerError> + Send + 'static,
    {
        let slot = slots.take().await?;
        let reader = Arc::clone(&self.reader);
        let (tell, told) = oneshot::channel();
        let work = move || {
            let outcome = read(&reader, &|| tell.is_closed());
            // The slot is free when the work is over, not when its asker leaves.
            drop(slot);
            // Nobody listens where the client hung up.
            let _ = tell.send(outcome);
        };
        Ok((work, told))
    }
}

/// Works in a thread of low priority.
fn give_way(work: impl FnOnce() + Send + 'static) -> Result<(), ReadError> {
    // Not one of the runtime's threads: what has become nice cannot become what it was.
    let spawned = std::thread::Builder::new().name("scan".into()).spawn(move || {
        // Where it is not allowed, the read is merely less polite.
        let _ = rustix::process::setpriority_process(None, SCAN_NICENESS);
        work();
    });
    spawned.map(drop).map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "no thread for a read of the ledger");
        ReadError::Unavailable
    })
}

async fn outcome<T>(told: oneshot::Receiver<Result<T, LedgerError>>) -> Result<T, ReadError> {
    match told.await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a read of the ledger failed");
            Err(ReadError::Unavailable)
        }
        Err(_panicked) => Err(ReadError::Panicked),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::budget::Policy;
    use crate::domain::BudgetZone;
    use crate::views::{Published, SeriesLimits, Views};

    /// Guards against: strangers who ask for much at once, and hold every connection until the last of it is read.
    #[tokio::test]
    async fn so_many_wait_for_a_long_read_and_the_others_are_told_at_once() {
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        let views = Views::new(SeriesLimits::default(), jiff::civil::date(2026, 10, 1));
        let board = Board::new(Published::example(views, Arc::new(Policy::example(BudgetZone::UTC, 10)), now));
        let reads = Arc::new(Reads::new(Reader::new("no.db".into(), BudgetZone::UTC), Arc::new(board), 30));
        let (go_on, may_go_on) = mpsc::sync_channel::<()>(1);
        let first = tokio::spawn({
            let reads = Arc::clone(&reads);
            async move { reads.scan(move |_, _| Ok(may_go_on.recv().is_err())).await }
        });
        while reads.scans.at_once.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let ask = || {
            let reads = Arc::clone(&reads);
            tokio::spawn(async move { reads.scan(|_, _| Ok(true)).await })
        };
        let waiting: Vec<_> = (0..5).map(|_| ask()).collect();
        while reads.scans.waiting.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(ask().await.unwrap(), Err(ReadError::Overloaded));
        assert_eq!(reads.look_up(|_, _| Ok(1)).await, Ok(1), "short ones do not wait for them");
        drop(go_on);
        assert_eq!(first.await.unwrap(), Ok(true));
        for read in waiting {
            assert_eq!(read.await.unwrap(), Ok(true));
        }
        assert_eq!(ask().await.unwrap(), Ok(true));
    }
}
