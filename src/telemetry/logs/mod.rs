//! Log lines on standard error, as text or JSON.
//!
//! *Invariants.* Logging never stops, fails or delays the agent: a full disk, a closed or a stuck reader costs log lines only.
//! A library that fails in a loop cannot flood the log.
//!
//! *Limits.* [`LOG_LINES_QUEUED_MAX`] lines wait; see [`flood`] for the libraries.

mod flood;
mod queue;

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterExt, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use flood::FloodFilter;
pub use queue::{LOG_LINES_QUEUED_MAX, LogFlush};

/// How a log line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Settings of the logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The least serious line of the agent's own that is written (`LOG_LEVEL`). Libraries write warnings and errors only.
    pub level: LevelFilter,
    /// Text or JSON (`LOG_FORMAT`).
    pub format: LogFormat,
}

/// Something else in this process set up the logs before. They stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the logs are set up already")]
pub struct LogsAlreadySetUp;

impl Default for LogSettings {
    /// From `INFO` on; text on a terminal, else JSON.
    fn default() -> Self {
        Self { level: LevelFilter::INFO, format: LogFormat::default_for(std::io::stderr().is_terminal()) }
    }
}

impl LogFormat {
    /// For a terminal text, for everything else JSON.
    pub const fn default_for(terminal: bool) -> Self {
        if terminal { Self::Text } else { Self::Json }
    }
}

/// Sends the process's log lines to standard error. Keep what it returns until the end: dropping it writes what still waits.
///
/// # Errors
/// The logs were set up before; nothing changes.
pub fn set_up_logs(settings: LogSettings) -> Result<LogFlush, LogsAlreadySetUp> {
    let (lines, flush) = queue::start(std::io::stderr());
    let layer = tracing_subscriber::fmt::layer().with_writer(lines);
    let filter = targets(settings.level).and(FloodFilter::default());
    let set_up = match settings.format {
        LogFormat::Json => {
            tracing_subscriber::registry().with(layer.json().flatten_event(true).with_filter(filter)).try_init()
        }
        LogFormat::Text if std::io::stderr().is_terminal() => {
            tracing_subscriber::registry().with(layer.with_filter(filter)).try_init()
        }
        LogFormat::Text => tracing_subscriber::registry().with(layer.with_ansi(false).with_filter(filter)).try_init(),
    };
    set_up.map(|()| flush).map_err(|_| LogsAlreadySetUp)
}

fn targets(level: LevelFilter) -> Targets {
    Targets::new().with_default(level.min(LevelFilter::WARN)).with_target(env!("CARGO_CRATE_NAME"), level)
}

#[cfg(test)]
mod tests;
