//! The push of metrics: a reader of its own beside the Prometheus one, and a thread that collects and exports.
//!
//! *Invariants.* All series of one push are read from one moment, as those of a scrape are; this is why the SDK's periodic
//! reader, which collects on a thread of its own without asking, is not used. It collects totals; what becomes increments is
//! [`Delivery`]'s.
//!
//! *Limits.* One collection is held, the one being exported. An interval that an export outlasted is left out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{InstrumentKind, ManualReader, Pipeline, Temporality};

use super::carrier::Carrier;
use super::deliver::{Collected, Delivery};
use super::increments::{Exact, Series};
use crate::domain::Usd;
use crate::telemetry::instruments;
use crate::telemetry::moment::Source;

/// A reader that the provider and the pushing thread share.
#[derive(Clone, Debug, Default)]
pub(in crate::telemetry) struct SharedReader(Arc<ManualReader>);

/// What the thread needs, until it runs.
#[derive(Debug)]
pub(super) struct Push {
    pub reader: SharedReader,
    pub carrier: Carrier,
    pub interval: Duration,
    pub delivery: Delivery,
}

/// The running thread.
#[derive(Debug)]
pub(super) struct Pushing {
    stop: SyncSender<()>,
    stopped: Mutex<Receiver<()>>,
}

// === impl Push ===

impl Push {
    /// Collects and exports from now on. All instruments whose history is durable must have been made before.
    pub fn start(mut self, source: Arc<Source>) -> std::io::Result<Pushing> {
        let (stop, asked) = sync_channel(1);
        let (done, stopped) = sync_channel(1);
        let mut metrics = ResourceMetrics::default();
        if let Ok(history) = self.collect(&source, &mut metrics) {
            self.delivery.begin(&history);
        }
        std::thread::Builder::new().name("otlp-metrics".into()).spawn(move || {
            self.run(&source, &asked, &mut metrics);
            // Nobody waits where the end took too long.
            let _ = done.send(());
        })?;
        Ok(Pushing { stop, stopped: Mutex::new(stopped) })
    }

    /// Exports at each interval, and once more at the end.
    fn run(&mut self, source: &Source, asked: &Receiver<()>, metrics: &mut ResourceMetrics) {
        let mut due = Instant::now() + self.interval;
        loop {
            let ends = match asked.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Err(RecvTimeoutError::Timeout) => false,
                Ok(()) | Err(RecvTimeoutError::Disconnected) => true,
            };
            match self.collect(source, metrics) {
                Ok(collected) => self.export(&collected, ends),
                Err(error) => self.carrier.report.note(self.carrier.signal, Some(&error.to_string())),
            }
            if ends {
                return;
            }
            due = (due + self.interval).max(Instant::now());
        }
    }

    fn export(&mut self, collected: &Collected, ends: bool) {
        let Self { carrier, delivery, .. } = self;
        carrier.run(|deadline| delivery.deliver(collected, deadline, carrier));
        let missing = delivery.missing_usd(&collected.exact);
        if ends && missing > Usd::ZERO {
            tracing::warn!(usd = %missing, "the end of the push: increments that no collector is known to have are lost to it");
        }
    }

    fn collect(&self, source: &Source, metrics: &mut ResourceMetrics) -> Result<Collected, OTelSdkError> {
        let collect = || {
            self.reader.0.collect(metrics)?;
            Ok(exact_totals(source))
        };
        let collected = catch_unwind(AssertUnwindSafe(|| source.holding_one(collect)));
        let failed = |_| Err(OTelSdkError::InternalFailure("collecting the metrics panicked".into()));
        let exact = collected.unwrap_or_else(failed)?;
        Ok(Collected { request: ExportMetricsServiceRequest::from(&*metrics), exact })
    }
}

/// What the instruments over the ledger just showed as floats, to the last digit.
fn exact_totals(source: &Source) -> Exact {
    let mut exact = Exact::new();
    for (metric, totals) in instruments::totals(&source.moment()) {
        for total in totals {
            let labels: Vec<_> = total.labels.iter().map(Into::into).collect();
            exact.insert(Series::new(metric, &labels), total.pico);
        }
    }
    exact
}

// === impl Pushing ===

impl Pushing {
    /// Has the last numbers exported, and waits for it this long at most.
    pub fn stop(&self, wait: Duration) {
        // Full: it was asked before. Disconnected: it has ended.
        let _ = self.stop.try_send(());
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        if stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the last metrics were not taken in time");
        }
    }
}

// === impl SharedReader ===

impl MetricReader for SharedReader {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}
