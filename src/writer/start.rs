//! How the writer starts: load what the ledger holds, then spawn the thread that goes on from there.
//!
//! *Invariants.* Nothing is recorded between the two steps: [`Loaded`] owns the ledger. Whoever shows the board can be built in
//! between, and gives the meter that the thread's instruments are made with.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use opentelemetry::metrics::Meter;
use tokio::sync::{mpsc, oneshot};

use super::bell::Bell;
use super::command::Command;
use super::exhausted::Exhausted;
use super::handle::{QUEUE_MESSAGES_MAX, Writer};
use super::health::Health;
use super::instruments::Instruments;
use super::load::{load_views, shown};
use super::memory::Memory;
use super::notices::Notices;
use super::run::{Ended, Loop};
use super::saving::Saving;
use super::settings::Settings;
use super::shared::Shared;
use crate::budget::Policy;
use crate::clock::Clock;
use crate::ledger::{Ledger, LedgerError};
use crate::views::Board;

/// How often the writer looks at the clock by itself. The gate's history promises a period's end within a second.
pub(super) const TICK: Duration = Duration::from_millis(500);

/// What the ledger holds, published, and everything that the writer's thread needs.
pub struct Loaded {
    /// What readers look at, from now on.
    pub board: Arc<Board>,
    ledger: Ledger,
    notices: Notices,
    exhausted: Exhausted,
    settings: Settings,
    clock: Clock,
}

/// A running writer.
#[derive(Debug)]
pub struct Started {
    /// The way in.
    pub writer: Writer,
    /// What readers look at.
    pub board: Arc<Board>,
    /// Resolves when the writer has ended.
    pub ended: oneshot::Receiver<Ended>,
}

/// Why the writer did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What the ledger holds cannot be used.
    #[error("cannot load the ledger")]
    Ledger(#[source] LedgerError),
    /// The system gave no thread.
    #[error("cannot start the writer's thread")]
    Thread(#[source] std::io::Error),
}

/// Loads the views from the ledger.
///
/// # Errors
/// The ledger is damaged or cannot be read.
pub fn load(mut ledger: Ledger, policy: Arc<Policy>, settings: Settings, clock: Clock) -> Result<Loaded, StartError> {
    let now = clock.instant();
    let views = load_views(&mut ledger, &settings, &policy.zone, now, None).map_err(StartError::Ledger)?;
    let notices = Notices::new(Arc::clone(&settings.receivers), settings.origin.clone(), views.gate.as_ref());
    let published = shown(&mut ledger, views, policy, &settings, now.time).map_err(StartError::Ledger)?;
    let exhausted = Exhausted::told_of(&published, now);
    let board = Arc::new(Board::new(published));
    Ok(Loaded { board, ledger, notices, exhausted, settings, clock })
}

// === impl Loaded ===

impl Loaded {
    /// Starts the writer's thread. Needs a tokio runtime for its ticks.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn spawn(self, meter: &Meter) -> Result<Started, StartError> {
        let Self { board, ledger, notices, exhausted, settings, clock } = self;
        let (sender, commands) = mpsc::channel(QUEUE_MESSAGES_MAX);
        let (queued_events, health) = (Arc::new(AtomicUsize::new(0)), Health::default());
        let work = Loop {
            ledger,
            unsaved: None,
            board: Arc::clone(&board),
            saving: Saving::new(settings.budget_keys_max),
            settings,
            clock,
            commands,
            queued_events: Arc::clone(&queued_events),
            health: health.clone(),
            instruments: Instruments::new(meter, Arc::clone(&queued_events), health.clone()),
            notices,
            exhausted,
            shared: Shared::default(),
            memory: Memory::default(),
            crossings: Vec::new(),
            late_policy: None,
        };
        let (tell_ended, ended) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("ledger-writer".into())
            .spawn(move || {
                // Nobody listens any more only when the process is ending anyway.
                let _ = tell_ended.send(work.run());
            })
            .map_err(StartError::Thread)?;
        let bell = Bell::new(thread.thread().clone());
        tokio::spawn(tick(sender.downgrade(), bell.clone()));
        let writer = Writer::new(sender, bell, queued_events, health);
        Ok(Started { writer, board, ended })
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Loaded").field("board", &self.board).finish_non_exhaustive()
    }
}

async fn tick(commands: mpsc::WeakSender<Command>, bell: Bell) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        interval.tick().await;
        let Some(commands) = commands.upgrade() else { return bell.ask() };
        // A full queue has the writer looking at the clock anyway.
        let _ = commands.try_send(Command::Tick);
        bell.ask();
    }
}
