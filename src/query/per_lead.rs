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
            let read = self.reader.catch_up(per_lead, day, &|| stop.load(Ordering::Relaxed));
            self.reader.let_go();
            read?;
            self.entries = Some(entries);
        }
        Ok(CostPerLead { day, as_of: now.steady, daily: per_lead.daily(), monthly: per_lead.monthly() })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use jiff::civil::date;

    use super::*;
    use crate::budget::Policy;
    use crate::domain::{BudgetZone, CostEvent, Steady, Usd};
    use crate::ledger::{Commit, Ledger};
    use crate::views::{Published, SeriesLimits, Views};

    #[test]
    fn a_look_follows_what_is_recorded_and_which_day_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let zone = BudgetZone::UTC;
        let now = Cell::new(Now { time: CostEvent::example().time, steady: Steady::default() });
        let mut ledger = Ledger::open(&path, &zone, now.get().time).unwrap();
        let policy = Arc::new(Policy::example(zone.clone(), 50));
        let shown = |views| Published::new(views, Arc::clone(&policy), Vec::new(), CostEvent::example().time);
        let mut views = Views::new(SeriesLimits::default(), date(2026, 11, 1));
        let board = Arc::new(Board::new(shown(views.clone())));
        let mut record = |lead: &str, dollars| {
            let (lead_id, amount) = (Some(lead.into()), Usd::from_dollars(dollars));
            let events = vec![ledger.keyed(CostEvent { lead_id, amount, ..CostEvent::example() })];
            ledger.commit(&Commit { events, ..Commit::default() }, now.get().time).unwrap();
            views.entries += 1;
            board.publish(shown(views.clone()));
        };
        let (stop, reader) = (Arc::default(), Reader::new(path.clone(), zone));
        let mut watch = Watch {
            reader,
            board: Arc::clone(&board),
            now: || now.get(),
            stop,
            entries: None,
            per_lead: None,
            is_failing: false,
        };
        let mut look = || watch.look().map(|found| (found.day.day(), found.daily, found.monthly));
        let usd = |dollars| Some(Usd::from_dollars(dollars));
        assert_eq!(look().unwrap(), (22, None, None));
        record("a", 1);
        record("b", 3);
        assert_eq!(look().unwrap(), (22, usd(2), usd(2)));
        record("a", 4);
        assert_eq!(look().unwrap(), (22, usd(4), usd(4)));
        now.set(Now { time: "2026-11-23T00:00:00Z".parse().unwrap(), ..now.get() });
        assert_eq!(look().unwrap(), (23, None, usd(4)));
        now.set(Now { time: "2026-12-01T00:00:00Z".parse().unwrap(), ..now.get() });
        assert_eq!(look().unwrap(), (1, None, None));
        now.set(Now { time: "2026-11-22T23:59:59Z".parse().unwrap(), ..now.get() });
        assert_eq!(look().unwrap(), (22, usd(4), usd(4)), "a clock that was ahead");
        record("c", 1);
        let other = rusqlite::Connection::open(&path).unwrap();
        other.execute("UPDATE event SET amount_pico = 0 WHERE lead_id = 'c'", ()).unwrap();
        assert!(matches!(look(), Err(LedgerError::Damaged(_))));
    }
}
