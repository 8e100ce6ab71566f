//! The push over OTLP: metrics, traces and logs to a collector, where an endpoint is set.
//!
//! *Invariants.* Without an endpoint there is nothing here: no thread, no runtime, no certificate. No export runs on the threads
//! that answer requests or commit: one thread drives all connections, and each signal waits on a thread of its own. A collector
//! that is dead, slow or hostile costs telemetry only. An export counts as `ok` when the collector says that it took all of it.
//!
//! *Limits.* One collection of metrics (with increments also requests in doubt, see `deliver`), [`Batching`] spans and log lines wait; the rest is dropped. Each export ends at its
//! connection's time-out. At the end all that waits has [`FLUSH_MAX`].

mod answer;
mod build;
mod carrier;
mod connect;
mod deliver;
mod increments;
mod line;
mod push;
mod report;
mod resource;
mod settings;

use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry::metrics::Meter;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Builder;

use build::Parts;
pub use connect::{ConnectError, check_tls};
pub(super) use push::SharedReader;
use push::{Push, Pushing};
use report::{Report, Signal};
pub use resource::host_name;
pub use settings::{Batching, Connection, Headers, OtlpSettings, Protocol, Root, Sampler, Temporality, Tls};

use super::moment::Source;

#[cfg(test)]
mod tests;

/// What all signals together may take at the end, whatever the collector does.
pub const FLUSH_MAX: Duration = Duration::from_secs(3);
/// The part of it that is kept for spans, which come last.
const SPANS_WAIT: Duration = Duration::from_secs(1);
/// Threads that drive the connections of all signals.
const DRIVERS: usize = 1;
/// Under which name the spans are made.
const TRACER_NAME: &str = env!("CARGO_PKG_NAME");
/// Names that are looked up at once; further ones wait, within the time-out of their export.
const LOOKUPS_MAX: usize = 1;

/// Tells what cannot be pushed. Cloning it shares the knowledge.
#[derive(Clone, Debug, Default)]
pub struct ExportsFailing(Option<Arc<Report>>);

/// What pushes.
#[derive(Debug)]
pub struct Otlp {
    report: Arc<Report>,
    resource: opentelemetry_sdk::Resource,
    /// The push of metrics, until it starts.
    push: Option<Push>,
    pushing: Option<Pushing>,
    tracers: Option<SdkTracerProvider>,
    loggers: Option<SdkLoggerProvider>,
}

// === impl ExportsFailing ===

impl ExportsFailing {
    /// The signals whose last export failed; none where nothing is pushed.
    pub fn now(&self) -> Vec<&'static str> {
        self.0.as_ref().map(|report| report.failing()).unwrap_or_default()
    }
}

// === impl Otlp ===

impl Otlp {
    /// Builds what pushes, if anything is to be pushed. Nothing is connected yet. Call it outside of async code.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn new(settings: &OtlpSettings) -> Result<Option<Self>, ConnectError> {
        let OtlpSettings { metrics, traces, logs, .. } = settings;
        if metrics.is_none() && traces.is_none() && logs.is_none() {
            return Ok(None);
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(DRIVERS)
            .max_blocking_threads(LOOKUPS_MAX)
            .thread_name("otlp")
            .enable_all()
            .build()
            .map_err(ConnectError::Thread)?;
        // It ends with the process: an export that hangs may still be waiting on it when `main` returns.
        let runtime = Box::leak(Box::new(runtime)).handle().clone();
        let parts = Parts { runtime, report: Arc::default() };
        let resource = resource::describe(settings);
        let _inside = parts.runtime.enter();
        let push = metrics.as_ref().map(|connection| parts.metrics(connection, settings)).transpose()?;
        let tracers = traces.as_ref().map(|connection| parts.tracers(connection, settings, &resource)).transpose()?;
        let loggers = logs.as_ref().map(|connection| parts.loggers(connection, settings, &resource)).transpose()?;
        Ok(Some(Self { report: Arc::clone(&parts.report), resource, push, pushing: None, tracers, loggers }))
    }

    /// What the metrics are collected with, where they are pushed.
    pub(super) fn reader(&self) -> Option<SharedReader> {
        self.push.as_ref().map(|push| push.reader.clone())
    }

    /// What is said about this process.
    pub(super) fn resource(&self) -> opentelemetry_sdk::Resource {
        self.resource.clone()
    }

    /// Makes the instrument that shows what became of exports.
    pub(super) fn show(&self, meter: &Meter) {
        let pushed = [self.push.is_some(), self.tracers.is_some(), self.loggers.is_some()];
        let signals = Signal::ALL.into_iter().zip(pushed).filter_map(|(signal, pushed)| pushed.then_some(signal));
        self.report.show(signals.collect(), meter);
    }

    /// Pushes metrics from now on.
    pub(super) fn start(&mut self, source: &Arc<Source>) -> std::io::Result<()> {
        if let Some(push) = self.push.take() {
            self.pushing = Some(push.start(Arc::clone(source))?);
        }
        Ok(())
    }

    /// What cannot be pushed at present.
    pub(super) fn failing(&self) -> ExportsFailing {
        ExportsFailing(Some(Arc::clone(&self.report)))
    }

    /// Where spans are made, if they are pushed.
    pub(super) fn tracer(&self) -> Option<SdkTracer> {
        self.tracers.as_ref().map(|tracers| tracers.tracer(TRACER_NAME))
    }

    /// Where log lines go, if they are pushed.
    pub(super) fn loggers(&self) -> Option<&SdkLoggerProvider> {
        self.loggers.as_ref()
    }

    /// Sends what is there, and stops. Blocks for [`FLUSH_MAX`] at most.
    pub(super) fn shutdown(&self) {
        let deadline = Instant::now() + FLUSH_MAX;
        std::thread::scope(|scope| {
            if let Some(pushing) = &self.pushing {
                scope.spawn(|| pushing.stop(FLUSH_MAX - SPANS_WAIT));
            }
            if let Some(loggers) = &self.loggers {
                let stop = || loggers.shutdown_with_timeout(FLUSH_MAX - SPANS_WAIT);
                scope.spawn(move || stop().map_err(|error| told("log lines", &error)));
            }
        });
        // Last, since the exports above make spans.
        if let Some(tracers) = &self.tracers {
            let wait = deadline.saturating_duration_since(Instant::now());
            let _ = tracers.shutdown_with_timeout(wait).map_err(|error| told("spans", &error));
        }
    }
}

fn told(what: &str, error: &opentelemetry_sdk::error::OTelSdkError) {
    tracing::warn!(%error, "the last {what} were not taken in time");
}
