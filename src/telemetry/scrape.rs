//! The Prometheus text, made once for all who ask at the same time.
//!
//! *Invariants.* The text that answers a scrape began to be made after the scrape was asked for: whoever was just told that an
//! event is recorded finds it. A text that lacks the agent's own metrics is an error, never a 200.
//!
//! *Limits.* One text is being made, at most one more is waited for; all further scrapes wait for that same one. It runs on
//! one thread beside the async ones, whoever hangs up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use prometheus::{Registry, TextEncoder};
use tokio::sync::watch;

use super::instruments::BUILD_INFO;
use super::moment::Source;

/// Makes the text. Cloning it shares the work.
#[derive(Clone, Debug)]
pub struct Scraper(Arc<Shared>);

/// Why there is no text. A later scrape may succeed, except after the shutdown.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ScrapeError {
    /// The reader gave nothing: it was shut down, or broke. The metrics of the process alone would look like an answer.
    #[error("the metrics reader gave no metrics of the agent")]
    Incomplete,
    /// A value that the format cannot say.
    #[error("the metrics cannot be written as text: {0}")]
    Encode(Arc<str>),
    /// Something panicked while collecting.
    #[error("collecting the metrics panicked")]
    Panicked,
    /// The runtime is going down.
    #[error("the agent is stopping")]
    Stopping,
}

type Answer = Result<Bytes, ScrapeError>;

#[derive(Debug)]
struct Shared {
    registry: Registry,
    source: Arc<Source>,
    turns: Mutex<Turns>,
}

#[derive(Debug, Default)]
struct Turns {
    /// Whether a text is being made now. Who comes while it is cannot have that one: it may be older than their request.
    running: bool,
    /// Answers those who came meanwhile.
    next: Option<watch::Sender<Option<Answer>>>,
}

// === impl Scraper ===

impl Scraper {
    pub(super) fn new(registry: Registry, source: Arc<Source>) -> Self {
        Self(Arc::new(Shared { registry, source, turns: Mutex::default() }))
    }

    /// The text as of some instant after this call. Dropping the future gives up the wait only.
    ///
    /// # Errors
    /// See [`ScrapeError`].
    pub async fn scrape(&self) -> Result<Bytes, ScrapeError> {
        let mut answer = self.join();
        match answer.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(answer)) => answer.clone(),
            Ok(None) | Err(_) => Err(ScrapeError::Stopping),
        }
    }

    fn join(&self) -> watch::Receiver<Option<Answer>> {
        let mut turns = self.0.lock();
        if turns.running {
            return turns.next.get_or_insert_with(|| watch::Sender::new(None)).subscribe();
        }
        let asked = watch::Sender::new(None);
        let answer = asked.subscribe();
        let shared = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || shared.run(asked));
        // Only now: had spawning panicked (no thread to be had), nobody would ever run.
        turns.running = true;
        answer
    }
}

// === impl Shared ===

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes texts until nobody waits for one.
    fn run(&self, mut asked: watch::Sender<Option<Answer>>) {
        loop {
            asked.send_replace(Some(self.make()));
            let mut turns = self.lock();
            match turns.next.take().filter(|next| next.receiver_count() > 0) {
                Some(next) => asked = next,
                None => {
                    turns.running = false;
                    return;
                }
            }
        }
    }

    fn make(&self) -> Answer {
        let collected = catch_unwind(AssertUnwindSafe(|| self.source.holding_one(|| self.registry.gather())));
        let families = collected.map_err(|_| ScrapeError::Panicked)?;
        // It is always observed; when it is missing, so is everything else that comes through the reader.
        if !families.iter().any(|family| family.name() == BUILD_INFO) {
            return Err(ScrapeError::Incomplete);
        }
        match TextEncoder::new().encode_to_string(&families) {
            Ok(text) => Ok(Bytes::from(text)),
            Err(error) => Err(ScrapeError::Encode(error.to_string().into())),
        }
    }
}
