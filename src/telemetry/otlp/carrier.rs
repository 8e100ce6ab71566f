//! Wraps the exporters of the three signals: each export runs on the push's own runtime, has an end, and is counted.
//!
//! *Invariants.* An exporter wrapped here reports success to the SDK whatever happens: a failure has been counted and said by
//! then, and the SDK would only say it again, each time.
//!
//! *Limits.* The connection's time-out bounds an export with all its repetitions.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::LogBatch;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::SpanData;
use tokio::runtime::Handle;

use super::report::{Report, Signal};
use crate::telemetry::spans;

/// An exporter with what watches over it.
#[derive(Debug)]
pub(super) struct Carried<E> {
    exporter: E,
    carrier: Carrier,
}

/// Runs exports of one signal.
#[derive(Clone, Debug)]
pub(super) struct Carrier {
    pub signal: Signal,
    pub runtime: Handle,
    pub timeout: Duration,
    pub report: Arc<Report>,
    pub reason: Reason,
}

/// Why the last request got no answer: what the HTTP exporter knows and does not say.
#[derive(Clone, Debug, Default)]
pub(super) struct Reason(Arc<Mutex<Option<String>>>);

// === impl Reason ===

impl Reason {
    pub fn set(&self, reason: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

// === impl Carrier ===

impl Carrier {
    pub fn carry<E>(self, exporter: E) -> Carried<E> {
        Carried { exporter, carrier: self }
    }

    /// Waits for one export, which is driven by the push's own runtime. Must be called from a thread outside of any runtime.
    fn run(&self, export: impl Future<Output = OTelSdkResult>) {
        let span = spans::export(self.signal.as_str());
        let outcome = self.runtime.block_on(async { tokio::time::timeout(self.timeout, export).await });
        let reason = self.reason.take();
        let failure = match outcome {
            Ok(Ok(())) => None,
            Ok(Err(OTelSdkError::InternalFailure(said))) => Some(match reason {
                Some(reason) => format!("{said}: {reason}"),
                None => said,
            }),
            Ok(Err(other)) => Some(other.to_string()),
            Err(_elapsed) => Some(format!("no answer within {:?}", self.timeout)),
        };
        spans::exported(&span, failure.is_none());
        self.report.note(self.signal, failure.as_deref());
    }

    /// Notes an export that did not come to be sent.
    fn failed(&self, error: &OTelSdkError) {
        self.report.note(self.signal, Some(&error.to_string()));
    }
}

// === impl Carried ===

impl Carried<MetricExporter> {
    /// Sends one collection, or notes why there was none.
    pub fn export(&self, collected: OTelSdkResult, metrics: &ResourceMetrics) {
        match collected {
            Ok(()) => self.carrier.run(self.exporter.export(metrics)),
            Err(error) => self.carrier.failed(&error),
        }
    }
}

impl opentelemetry_sdk::trace::SpanExporter for Carried<SpanExporter> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.carrier.run(self.exporter.export(batch));
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl opentelemetry_sdk::logs::LogExporter for Carried<LogExporter> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        self.carrier.run(self.exporter.export(batch));
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
