//! Gives events that wait for a price their price, once the book knows one.
//!
//! *Invariants.* Each is rated once: what is rated no longer waits, in the same commit. So a pass may end at any place, with the process
//! too, and the next one goes on; one begins at each start. The book is asked before the writer, so that the writer is told only of
//! events that are likely to get a price, and decides these by itself.
//!
//! *Limits.* One thread of the lowest priority; `EVENTS_PER_ORDER` events at a time, with `BREATH` in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::Thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::runtime::Handle;

use crate::domain::Usd;
use crate::error_chain::ErrorChain;
use crate::ledger::{LedgerError, Reader};
use crate::pricing::Book;
use crate::writer::{NewRate, RateAnswer, RateOrder, Rateable, RecordError, ToRate, Writer};

/// Events that the writer rates at once: a few milliseconds, which everybody behind them waits.
const EVENTS_PER_ORDER: u32 = 250;
/// Between two orders, so that recording goes on beside a long pass.
const BREATH: Duration = Duration::from_millis(5);
/// Between two tries when the ledger cannot take an order.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// After new prices, how often events are looked for that were still read by the old ones, and for how long.
const FOLLOW_UP_PAUSE: Duration = Duration::from_secs(2);
/// Longer than a request may take to arrive.
const FOLLOW_UP: Duration = Duration::from_secs(60);
/// How much the thread gives way to others.
const NICENESS: i32 = 19;
/// How long dropping the rater waits for an order that is under way.
const END_MAX: Duration = Duration::from_secs(1);

/// What rating needs.
#[derive(Debug)]
pub struct RatingParts {
    /// The way to what waits.
    pub reader: Reader,
    /// The way to rate it.
    pub writer: Writer,
    /// All prices.
    pub book: Arc<ArcSwap<Book>>,
    /// What comes to more than this is left as it is.
    pub usd_max: Usd,
}

/// A thread that rates what waits for a price, until this is dropped.
#[derive(Debug)]
pub struct Rater {
    state: Arc<Signal>,
    thread: Thread,
    ended: Receiver<()>,
}

#[derive(Debug, Default)]
struct Signal {
    has_new_prices: AtomicBool,
    stop: AtomicBool,
}

impl Rater {
    /// Starts the thread, which begins with a pass over everything that waits. Needs a tokio runtime to wait for the writer.
    ///
    /// # Errors
    /// The system gave no thread.
    pub fn start(parts: RatingParts) -> Result<Self, std::io::Error> {
        let state = Arc::new(Signal::default());
        let work = Work { parts, signal: Arc::clone(&state), runtime: Handle::current() };
        let (end, ended) = mpsc::sync_channel::<()>(1);
        let handle = std::thread::Builder::new().name("rating".into()).spawn(move || {
            // Dropped when the thread ends in whatever way.
            let _end = end;
            // Where it is not allowed, the work is merely less polite.
            let _ = rustix::process::setpriority_process(None, NICENESS);
            work.run();
        })?;
        Ok(Self { state, thread: handle.thread().clone(), ended })
    }

    /// There are new prices: what waits is looked at again.
    pub fn rate(&self) {
        self.state.has_new_prices.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Drop for Rater {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Release);
        self.thread.unpark();
        // It says nothing: the channel closes.
        let _ = self.ended.recv_timeout(END_MAX);
    }
}

struct Work {
    parts: RatingParts,
    signal: Arc<Signal>,
    runtime: Handle,
}

/// Why a pass ended before its end.
enum Stopped {
    Asked,
    Ledger(LedgerError),
}

impl Work {
    fn run(self) {
        let mut since = Instant::now();
        // Entries before this place were looked at with these prices.
        let mut after = 0;
        loop {
            if self.signal.has_new_prices.swap(false, Ordering::AcqRel) {
                (since, after) = (Instant::now(), 0);
            }
            let mut rated = RateAnswer::default();
            match self.pass(&mut after, &mut rated) {
                Ok(()) => {}
                Err(Stopped::Asked) => return,
                Err(Stopped::Ledger(error)) => {
                    tracing::error!(error = %ErrorChain(&error), "what waits for a price cannot be read; trying again");
                    since = Instant::now();
                }
            }
            self.parts.reader.let_go();
            if rated.rated > 0 {
                tracing::info!(events = rated.rated, usd = %rated.after, "events that waited for a price have got one");
            }
            if self.signal.has_new_prices.load(Ordering::Acquire) {
                continue;
            }
            if since.elapsed() < FOLLOW_UP {
                std::thread::park_timeout(FOLLOW_UP_PAUSE)
            } else {
                std::thread::park()
            }
            if self.is_stopping() {
                return;
            }
        }
    }

    /// Looks at everything that waits behind a place.
    fn pass(&self, after: &mut i64, rated: &mut RateAnswer) -> Result<(), Stopped> {
        let RatingParts { reader, book, usd_max, .. } = &self.parts;
        let book = book.load_full();
        loop {
            if self.is_stopping() {
                return Err(Stopped::Asked);
            }
            let waiting = reader.unpriced_behind(*after, EVENTS_PER_ORDER).map_err(Stopped::Ledger)?;
            let Some(last) = waiting.last().map(|waiting| waiting.seq) else { return Ok(()) };
            let mut events = Vec::new();
            for waiting in waiting {
                let Some(stored) = reader.newest_telling(waiting.seq).map_err(Stopped::Ledger)? else { continue };
                let event = stored.entry.stand(stored.event);
                if matches!(Rateable::Unpriced.rate(&event, &book, *usd_max), NewRate::Rated(_)) {
                    events.push(ToRate { first: waiting.seq, time: event.time });
                }
            }
            if !events.is_empty() {
                let order = RateOrder { events, which: Rateable::Unpriced, book: Arc::clone(&book), usd_max: *usd_max };
                let answer = self.order(&order)?;
                rated.rated += answer.rated;
                rated.after += answer.after;
                std::thread::sleep(BREATH);
            }
            *after = last;
        }
    }

    /// Gives an order until it is taken.
    fn order(&self, order: &RateOrder) -> Result<RateAnswer, Stopped> {
        loop {
            match self.runtime.block_on(self.parts.writer.rate(order.clone())) {
                Ok(answer) => return Ok(answer),
                Err(RecordError::ShuttingDown) => return Err(Stopped::Asked),
                Err(RecordError::Overloaded | RecordError::Unavailable | RecordError::Conflict(_)) => {
                    std::thread::park_timeout(RETRY_PAUSE);
                }
            }
            if self.is_stopping() {
                return Err(Stopped::Asked);
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.signal.stop.load(Ordering::Acquire)
    }
}
