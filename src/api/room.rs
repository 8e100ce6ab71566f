//! The room that writes share: how many are in progress at once, how many bodies of calls are read, and how many calls may wait to be
//! recorded.
//!
//! *Invariants.* Writes leave connections to reads: fewer are in progress than there are connections, and whoever waits for a place does
//! so for a moment only.
//! Bodies that come slowly make room for those that wait ([arrival](super::arrival)).
//!
//! *Limits.* `max_writes_in_progress`, [`WRITE_WAIT`], [`BODIES_MAX`], [`MESSAGES_MAX`], [`BODY_WAIT`], [`CALLS_HELD_MAX`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Settings;

/// How long a write waits for its place: long enough for a burst on a quick disk, short enough that a read which waits for the
/// connection hardly notices.
const WRITE_WAIT: Duration = Duration::from_millis(500);
/// Bodies that are read at once, each by a thread; what comes beyond waits a little.
const BODIES_MAX: usize = 8;
/// Messages over gRPC that are received or read at once, their beginnings apart: unlike bodies these are whole in memory.
const MESSAGES_MAX: usize = 16;
/// How long it waits.
const BODY_WAIT: Duration = Duration::from_millis(400);
/// Calls of all bodies that are not on record yet: at about a kilobyte each, the most memory that these routes take.
const CALLS_HELD_MAX: usize = 131_072;
/// Room for calls is taken in steps of so many.
const CALLS_STEP: u32 = 256;

/// The room that the routes share.
#[derive(Debug)]
pub(super) struct Room {
    writes: Arc<Semaphore>,
    /// Those that may wait for a place.
    writes_waiting: Semaphore,
    /// For bodies of calls.
    pub(super) bodies: Places,
    /// For messages over gRPC, from before they are received whole.
    pub(super) messages: Places,
    calls: Arc<Semaphore>,
}

impl Room {
    pub(super) fn new(settings: &Settings) -> Self {
        let of = |places| Arc::new(Semaphore::new(places));
        Self {
            writes: of(settings.writes_in_progress_max),
            writes_waiting: Semaphore::new(settings.writes_waiting_max),
            // Whoever waits has a place among the writes.
            bodies: Places::new(BODIES_MAX, settings.writes_in_progress_max),
            messages: Places::new(MESSAGES_MAX, settings.writes_in_progress_max),
            calls: of(CALLS_HELD_MAX),
        }
    }

    /// A place for a write, kept until it is dropped. `None`: all are taken, and too many wait, or stay so for longer than a write
    /// may wait.
    pub(super) async fn for_write(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.writes).try_acquire_owned() {
            return Some(place);
        }
        let _waiting = self.writes_waiting.try_acquire().ok()?;
        free_within(WRITE_WAIT, &self.writes).await
    }

    /// Room for the calls of a body, none yet.
    pub(super) fn for_calls(&self) -> Held {
        Held { calls: Arc::clone(&self.calls), permits: None }
    }
}

/// So many places, for which others wait [`BODY_WAIT`].
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    /// Whoever waits has one of these.
    waiting: Semaphore,
    waiting_max: usize,
}

impl Places {
    fn new(count: usize, waiting_max: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count)), waiting: Semaphore::new(waiting_max), waiting_max }
    }

    /// A place, kept until it is dropped. `None`: all are taken, and stay so for longer than one may wait.
    pub(super) async fn take(&self) -> Option<OwnedSemaphorePermit> {
        let _waiting = self.waiting.try_acquire().ok()?;
        free_within(BODY_WAIT, &self.free).await
    }

    /// Whether somebody waits for one.
    pub(super) fn are_wanted(&self) -> bool {
        self.waiting.available_permits() < self.waiting_max
    }
}

async fn free_within(wait: Duration, places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    tokio::time::timeout(wait, Arc::clone(places).acquire_owned()).await.ok()?.ok()
}

/// The room that the calls of a body have.
pub(super) struct Held {
    calls: Arc<Semaphore>,
    permits: Option<OwnedSemaphorePermit>,
}

impl Held {
    /// Takes room until it is enough for so many calls; whether there is any.
    pub(super) fn grow_to(&mut self, calls: usize) -> bool {
        let held = self.permits.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if calls <= held {
            return true;
        }
        let Ok(more) = Arc::clone(&self.calls).try_acquire_many_owned(CALLS_STEP) else { return false };
        match &mut self.permits {
            Some(permits) => permits.merge(more),
            None => self.permits = Some(more),
        }
        true
    }
}
