//! The one owner of all state: everything that changes the ledger passes here, in order.
//!
//! *Invariants.* One thread decides, commits and publishes. Others hold a [`Writer`] (a bounded queue) or read the
//! [`Board`]. See `run` for what an answer means.
//!
//! *Limits.* [`QUEUE_MESSAGES_MAX`] waiting messages; the bodies behind them are bounded by the HTTP surface.

mod answer;
mod bell;
mod command;
mod decide;
mod decision;
mod draft;
mod gate;
mod handle;
mod health;
mod instruments;
mod load;
mod notices;
mod pending;
mod recover;
mod reserve;
mod run;
mod settings;
mod shared;
mod spans;
mod tally;
mod unsaved;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use opentelemetry::metrics::Meter;
use tokio::sync::{mpsc, oneshot};

use crate::budget::Policy;
use crate::clock::Clock;
use crate::ledger::{Ledger, LedgerError};
use crate::views::{Board, Published};

pub use answer::{Conflict, Done, RecordAnswer, RecordError, Recorded, ReservationAnswer, ReservationError};
pub use command::{GateOrder, Receipt, ReservationCommand};
pub use handle::{QUEUE_MESSAGES_MAX, Writer};
pub use health::Health;
pub use run::Ended;
pub use settings::Settings;

/// How often the writer looks at the clock by itself. The gate's history promises a period's end within a second.
const TICK: Duration = Duration::from_millis(500);

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

/// Loads the views and starts the writer's thread. Needs a tokio runtime for its ticks.
///
/// # Errors
/// The ledger is damaged or cannot be read, or no thread can be had.
pub fn start(
    mut ledger: Ledger,
    policy: Arc<Policy>,
    settings: Settings,
    clock: Clock,
    meter: &Meter,
) -> Result<Started, StartError> {
    let views = load::load_views(&mut ledger, &settings, &policy.zone, clock.instant(), None).map_err(StartError::Ledger)?;
    let notices = notices::Notices::new(Arc::clone(&settings.receivers), views.gate.as_ref());
    let board = Arc::new(Board::new(Published { views, policy }));
    let (sender, commands) = mpsc::channel(QUEUE_MESSAGES_MAX);
    let (queued_events, health) = (Arc::new(AtomicUsize::new(0)), Health::default());
    let instruments = instruments::Instruments::new(meter, Arc::clone(&queued_events), health.clone());
    let (shared_board, shared_count, shared_health) = (Arc::clone(&board), Arc::clone(&queued_events), health.clone());
    let work = run::Loop {
        ledger,
        unsaved: None,
        board: shared_board,
        settings,
        clock,
        commands,
        queued_events: shared_count,
        health: shared_health,
        instruments,
        notices,
        shared: shared::Shared::default(),
    };
    let (tell_ended, ended) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("ledger-writer".into())
        .spawn(move || {
            // Nobody listens any more only when the process is ending anyway.
            let _ = tell_ended.send(work.run());
        })
        .map_err(StartError::Thread)?;
    let bell = bell::Bell::new(thread.thread().clone());
    tokio::spawn(tick(sender.downgrade(), bell.clone()));
    let writer = Writer::new(sender, bell, queued_events, health);
    Ok(Started { writer, board, ended })
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

async fn tick(commands: mpsc::WeakSender<command::Command>, bell: bell::Bell) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        interval.tick().await;
        let Some(commands) = commands.upgrade() else { return bell.ask() };
        // A full queue has the writer looking at the clock anyway.
        let _ = commands.try_send(command::Command::Tick);
        bell.ask();
    }
}

#[cfg(test)]
mod reservation_tests;
#[cfg(test)]
mod tests;
