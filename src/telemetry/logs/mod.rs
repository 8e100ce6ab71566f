//! Log lines on standard error, as text or JSON; where there is a push, the layers that feed it.
//!
//! *Invariants.* Logging never stops, fails or delays the agent: a full disk, a closed or a stuck reader costs log lines only.
//! A library that fails in a loop cannot flood the log. A line that is written inside of a span names its trace.
//!
//! *Limits.* [`LOG_LINES_QUEUED_MAX`] lines wait, and whoever logs never does; see [`flood`] for the libraries.

mod flood;
mod ids;
mod queue;

use std::io::IsTerminal;

use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::layer::{Filter, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use super::otlp::Otlp;
use flood::FloodFilter;
use ids::{WithIds, ids_in_json, ids_in_text};
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

/// Sends the process's log lines to standard error, and over OTLP what is pushed: spans, and log lines where they are asked for.
/// Keep what it returns until the end: dropping it writes what still waits.
///
/// # Errors
/// The logs were set up before; nothing changes.
pub fn set_up_logs(settings: LogSettings, otlp: Option<&Otlp>) -> Result<LogFlush, LogsAlreadySetUp> {
    let (lines, flush) = queue::start(std::io::stderr());
    let ansi = settings.format == LogFormat::Text && std::io::stderr().is_terminal();
    let mut layers = vec![lines_layer(settings, lines, ansi)];
    if let Some(tracer) = otlp.and_then(Otlp::tracer) {
        let spans = tracing_opentelemetry::layer().with_tracer(tracer).with_location(false).with_threads(false);
        layers.push(spans.with_tracked_inactivity(false).with_filter(own_spans()).boxed());
    }
    if let Some(loggers) = otlp.and_then(Otlp::loggers) {
        layers.push(OpenTelemetryTracingBridge::new(loggers).with_filter(pushed_lines(settings.level)).boxed());
    }
    tracing_subscriber::registry().with(layers).try_init().map(|()| flush).map_err(|_| LogsAlreadySetUp)
}

/// A layer of any kind.
type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

/// What writes lines. It wants no spans: their ids are all that a line shows of them.
fn lines_layer(settings: LogSettings, lines: queue::Lines, ansi: bool) -> Boxed {
    let filter = targets(settings.level).and(FloodFilter::default()).and(filter_fn(|metadata| metadata.is_event()));
    let layer = tracing_subscriber::fmt::layer().with_writer(lines);
    match settings.format {
        LogFormat::Json => {
            let format = tracing_subscriber::fmt::format().json().flatten_event(true);
            let layer = layer.json().flatten_event(true);
            layer.event_format(WithIds { inner: format, ids: ids_in_json }).with_filter(filter).boxed()
        }
        LogFormat::Text => {
            // The format is told as well, since it may write to a buffer first.
            let format = tracing_subscriber::fmt::format().with_ansi(ansi);
            layer.with_ansi(ansi).event_format(WithIds { inner: format, ids: ids_in_text }).with_filter(filter).boxed()
        }
    }
}

fn targets(level: LevelFilter) -> Targets {
    Targets::new().with_default(level.min(LevelFilter::WARN)).with_target(env!("CARGO_CRATE_NAME"), level)
}

/// Spans of our own, at any level of the log. Those of libraries would include the ones of the exporters.
fn own_spans<S: Subscriber>() -> impl Filter<S> {
    let own = Targets::new().with_target(env!("CARGO_CRATE_NAME"), LevelFilter::TRACE);
    FilterExt::<S>::and(own, filter_fn(|metadata| metadata.is_span()))
}

/// Lines of our own, but those about exports: a push that fails must not give the next one something to push.
fn pushed_lines<S: Subscriber>(level: LevelFilter) -> impl Filter<S> {
    let own = Targets::new()
        .with_target(env!("CARGO_CRATE_NAME"), level)
        .with_target(concat!(env!("CARGO_CRATE_NAME"), "::telemetry::otlp"), LevelFilter::OFF);
    FilterExt::<S>::and(own, filter_fn(|metadata| metadata.is_event()))
}

#[cfg(test)]
mod tests;
