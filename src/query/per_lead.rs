//! What a lead costs on average, worked out beside everything else and shown on the board.
//!
//! *Invariants.* Its thread has the lowest priority and reads each entry once; nobody waits for it. When the ledger cannot be read,
//! nothing is shown rather than something old.
//!
//! *Limits.* One thread, which looks every [`PAUSE`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::Thread;
use std::time::Duration;

use crate::domain::Now;
use crate::ledger::{LedgerError, PerLead, Reader};
use crate::views::{Board, CostPerLead};

/// Between two looks at what was recorded. What is read does not depend on it, so it may be far below the minute that is promised.
const PAUSE: Duration = Duration::from_secs(5);
/// How much the thread gives way to others: on a busy core it gets a seventieth of the time of one who does not.
const NICENESS: i32 = 19;
/// How long dropping the watch waits for a look that is under way.
const END_MAX: Duration = Duration::from_secs(1);

/// A thread that keeps the cost of a lead on the board up to date, until this is dropped.
#[derive(Debug)]
pub struct LeadWatch {
    stop: Arc<AtomicBool>,
    thread: Thread,
    ended: Receiver<()>,
}

struct Watch<N> {
    reader: Reader,
    board: Arc<Board>,
    now: N,
    stop: Arc<AtomicBool>,
    /// What was read last: how many entries there were.
    entries: Option<u64>,
    per_lead: Option<PerLead>,
    is_failing: bool,
}

impl LeadWatch {
    /// Starts the thread. `now` says what time it is.
    ///
    /// # Errors
    /// The system gave no thread.
    pub fn start(reader: Reader, board: Arc<Board>, now: impl Fn() -> Now + Send + 'static) -> Result<Self, std::io::Error> {
        let stop = Arc::new(AtomicBool::new(false));
        let watch = Watch { reader, board, now, stop: Arc::clone(&stop), entries: None, per_lead: None, is_failing: false };
        let (end, ended) = mpsc::sync_channel::<()>(1);
        let handle = std::thread::Builder::new().name("cost-per-lead".into()).spawn(move || {
            // Dropped when the thread ends in whatever way.
            let _end = end;
            // Where it is not allowed, the reads are merely less polite.
            let _ = rustix::process::setpriority_process(None, NICENESS);
            watch.run();
        })?;
        Ok(Self { stop, thread: handle.thread().clone(), ended })
    }
}

impl Drop for LeadWatch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.unpark();
        // It says nothing: the channel closes.
        let _ = self.ended.recv_timeout(END_MAX);
    }
}

impl<N: Fn() -> Now> Watch<N> {
    fn run(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            match self.look() {
                Ok(found) => {
                    self.is_failing = false;
                    self.board.show_per_lead(Some(found));
                }
                Err(LedgerError::Stopped) => return,
                Err(error) => {
                    self.board.show_per_lead(None);
                    self.entries = None;
                    if !std::mem::replace(&mut self.is_failing, true) {
                        tracing::error!(error = &error as &dyn std::error::Error, "the cost of a lead cannot be worked out");
                    }
                }
            }
            std::thread::park_timeout(PAUSE);
        }
    }

    fn look(&mut self) -> Result<CostPerLead, LedgerError> {
        let now = (self.now)();
        let published = self.board.read();
        let day = published.policy.zone.day_of(now.time);
        let entries = published.views.entries;
        let per_lead = self.per_lead.get_or_insert_with(|| PerLead::new(day));
        if self.entries != Some(entries) || !per_lead.is_of(day) {
            let stop = Arc::clone(&self.stop);
            self.reader.catch_up(per_lead, day, &|| stop.load(Ordering::Relaxed))?;
            self.entries = Some(entries);
        }
        Ok(CostPerLead { day, as_of: now.steady, daily: per_lead.daily(), monthly: per_lead.monthly() })
    }
}
