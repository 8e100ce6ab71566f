//! Carries exports of the three signals: each runs on the push's own runtime, has an end, and is counted.
//!
//! *Invariants.* An exporter here reports success to the SDK whatever happens: a failure has been counted and said by then, and
//! the SDK would only say it again, each time.
//!
//! *Limits.* The connection's time-out bounds an export with all its repetitions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::logs::tonic::group_logs_by_resource_and_scope;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::LogBatch;
use opentelemetry_sdk::trace::SpanData;
use prost::Message;
use tokio::runtime::Handle;

use super::answer::{Fate, Outcome};
use super::line::Line;
use super::report::{Report, Signal};
use crate::telemetry::spans;

/// Runs exports of one signal.
#[derive(Clone, Debug)]
pub(super) struct Carrier {
    pub signal: Signal,
    pub line: Line,
    pub runtime: Handle,
    pub timeout: Duration,
    pub report: Arc<Report>,
}

/// An exporter of spans or log lines, with what is said about this process.
#[derive(Debug)]
pub(super) struct Carried {
    carrier: Carrier,
    resource: ResourceAttributesWithSchema,
}

// === impl Carrier ===

impl Carrier {
    /// Waits for one export, which is driven by the push's own runtime and ends by the deadline that it is given. Must be called
    /// from a thread outside of any runtime.
    pub fn run<F: Future<Output = Result<(), String>>>(&self, export: impl FnOnce(Instant) -> F) {
        let span = spans::export(self.signal.as_str());
        let failure = self.runtime.block_on(export(Instant::now() + self.timeout)).err();
        spans::exported(&span, failure.is_none());
        self.report.note(self.signal, failure.as_deref());
    }

    /// Sends `items` spans or log lines in one request. What a collector rejects or refuses it would reject again: they are gone.
    async fn export<M: Message + Clone + Default + 'static>(
        &self,
        request: M,
        items: usize,
        deadline: Instant,
    ) -> Result<(), String> {
        let outcome = self.line.send(&request, deadline).await;
        self.heard(&outcome);
        outcome.taken_of(items as u64, self.signal)
    }

    /// Passes on what a collector says of something that it took.
    pub fn heard(&self, outcome: &Outcome) {
        if let Outcome { fate: Fate::Taken, said: Some(hint), .. } = outcome {
            self.report.hint(self.signal, hint);
        }
    }
}

// === impl Outcome ===

impl Outcome {
    /// Whether all of a request's items were taken; otherwise why not, in a sentence for the log.
    pub fn taken_of(&self, items: u64, signal: Signal) -> Result<(), String> {
        let said = self.said.as_deref().unwrap_or_default();
        match self.fate {
            Fate::Taken => Ok(()),
            Fate::Rejected(count) => Err(format!("the collector rejected {count} of {items} {}: {said}", signal.items())),
            Fate::Refused | Fate::Unreached | Fate::Unknown => Err(said.to_owned()),
        }
    }
}

// === impl Carried ===

impl Carried {
    pub fn new(carrier: Carrier) -> Self {
        Self { carrier, resource: ResourceAttributesWithSchema::default() }
    }
}

impl opentelemetry_sdk::trace::SpanExporter for Carried {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let request = ExportTraceServiceRequest { resource_spans: group_spans_by_resource_and_scope(batch, &self.resource) };
        self.carrier.run(|deadline| self.carrier.export(request, count, deadline));
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.into();
    }
}

impl opentelemetry_sdk::logs::LogExporter for Carried {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let count = batch.iter().count();
        let request = ExportLogsServiceRequest { resource_logs: group_logs_by_resource_and_scope(&batch, &self.resource) };
        self.carrier.run(|deadline| self.carrier.export(request, count, deadline));
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.into();
    }
}
