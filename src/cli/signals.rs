//! What a terminal and an operator tell a program that stays: to stop, and that the window has another size.
//!
//! *Limits.* A program that was told to stop is gone within [`STOP_MAX`], whatever holds it up: a terminal that takes nothing, perhaps.

use std::sync::mpsc::{SyncSender, TrySendError};
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use ratatui::crossterm::terminal;

use super::Failure;

/// How long what was told to stop may take.
const STOP_MAX: Duration = Duration::from_secs(3);

/// What was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Ctrl-C, SIGTERM, or the terminal is gone.
    Stop,
    /// The window has another size.
    Resized,
}

/// Has signals told, on a thread of its own, until nobody listens.
///
/// # Errors
/// The system does not let this process listen.
pub fn listen<News: Send + 'static>(news: SyncSender<News>, told: fn(Told) -> News) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::Failed(format!("cannot listen for signals: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let registered = {
        let _inside = runtime.enter();
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::window_change()].map(signal)
    };
    let [interrupt, terminate, hangup, resize] = registered;
    let (mut interrupt, mut terminate) = (interrupt.map_err(failed)?, terminate.map_err(failed)?);
    let (mut hangup, mut resize) = (hangup.map_err(failed)?, resize.map_err(failed)?);
    thread::spawn(move || {
        runtime.block_on(async {
            loop {
                let signal = tokio::select! {
                    _ = interrupt.recv() => Told::Stop,
                    _ = terminate.recv() => Told::Stop,
                    _ = hangup.recv() => Told::Stop,
                    _ = resize.recv() => Told::Resized,
                };
                let is_over = match signal {
                    Told::Stop => {
                        thread::spawn(end_whatever_holds_it_up);
                        news.send(told(signal)).is_err()
                    }
                    // With so much to be drawn the new size is seen anyway.
                    Told::Resized => matches!(news.try_send(told(signal)), Err(TrySendError::Disconnected(_))),
                };
                if is_over {
                    break;
                }
            }
        });
    });
    Ok(())
}

/// Whoever should have stopped may wait for a terminal that takes nothing. Its keyboard can still be given back.
fn end_whatever_holds_it_up() {
    thread::sleep(STOP_MAX);
    let _gone = terminal::disable_raw_mode();
    std::process::exit(0);
}
