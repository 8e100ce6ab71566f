//! The room that bodies of calls share: how many are read at once, and how many calls may wait to be recorded.
//!
//! *Limits.* [`BODIES_MAX`], [`MESSAGES_MAX`], [`BODY_WAIT`], [`CALLS_HELD_MAX`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bodies that are read at once, each by a thread; what comes beyond waits a little.
const BODIES_MAX: usize = 8;
/// Messages over gRPC that are received or read at once: unlike bodies these are whole in memory.
const MESSAGES_MAX: usize = 16;
/// How long it waits.
const BODY_WAIT: Duration = Duration::from_secs(1);
/// Calls of all bodies that are not on record yet: at about a kilobyte each, the most memory that these routes take.
const CALLS_HELD_MAX: usize = 131_072;
/// Room for calls is taken in steps of so many.
const CALLS_STEP: u32 = 256;

/// The room that the routes share.
#[derive(Debug)]
pub(super) struct Room {
    bodies: Arc<Semaphore>,
    messages: Arc<Semaphore>,
    calls: Arc<Semaphore>,
}

impl Room {
    /// A place for a body, kept until it is dropped. `None`: all are taken, and stay so for longer than a body may wait.
    pub(super) async fn for_body(&self) -> Option<OwnedSemaphorePermit> {
        place(&self.bodies).await
    }

    /// The same for a message over gRPC, from before it is received.
    pub(super) async fn for_message(&self) -> Option<OwnedSemaphorePermit> {
        place(&self.messages).await
    }

    /// Room for the calls of a body, none yet.
    pub(super) fn for_calls(&self) -> Held {
        Held { calls: Arc::clone(&self.calls), permits: None }
    }
}

impl Default for Room {
    fn default() -> Self {
        let of = |places| Arc::new(Semaphore::new(places));
        Self { bodies: of(BODIES_MAX), messages: of(MESSAGES_MAX), calls: of(CALLS_HELD_MAX) }
    }
}

async fn place(places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    tokio::time::timeout(BODY_WAIT, Arc::clone(places).acquire_owned()).await.ok()?.ok()
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
