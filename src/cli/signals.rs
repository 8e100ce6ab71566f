//! What a terminal and an operator tell a program that stays: to stop, and that the window has another size.

use std::sync::mpsc::SyncSender;
use std::thread;

use tokio::signal::unix::{SignalKind, signal};

use super::Failure;

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
                if news.send(told(signal)).is_err() {
                    break;
                }
            }
        });
    });
    Ok(())
}
