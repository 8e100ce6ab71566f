//! The push of metrics: a reader of its own beside the Prometheus one, and a thread that collects and exports.
//!
//! *Invariants.* All series of one push are read from one moment, as those of a scrape are; this is why the SDK's periodic
//! reader, which collects on a thread of its own without asking, is not used. Where increments are pushed, what the ledger held
//! at the start is no increment: the first collection is thrown away.
//!
//! *Limits.* One collection is held, the one being exported. An interval that an export outlasted is left out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{InstrumentKind, ManualReader, Pipeline};

use super::carrier::Carried;
use super::settings::Temporality;
use crate::telemetry::moment::Source;

/// A reader that the provider and the pushing thread share.
#[derive(Clone, Debug)]
pub(in crate::telemetry) struct SharedReader(Arc<ManualReader>);

/// What the thread needs, until it runs.
#[derive(Debug)]
pub(super) struct Push {
    pub reader: SharedReader,
    pub exporter: Carried<MetricExporter>,
    pub interval: Duration,
    pub temporality: Temporality,
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
    pub fn start(self, source: Arc<Source>) -> std::io::Result<Pushing> {
        let (stop, asked) = sync_channel(1);
        let (done, stopped) = sync_channel(1);
        let mut metrics = ResourceMetrics::default();
        if self.temporality == Temporality::Delta {
            // The SDK counts increments from 0. Without this the first push would be everything since the ledger began,
            // once more after each start (`findings/otlp-first-increment-is-all-history.sh`).
            let _ = self.collect(&source, &mut metrics);
        }
        std::thread::Builder::new().name("otlp-metrics".into()).spawn(move || {
            self.run(&source, &asked, &mut metrics);
            // Nobody waits where the end took too long.
            let _ = done.send(());
        })?;
        Ok(Pushing { stop, stopped: Mutex::new(stopped) })
    }

    /// Exports at each interval, and once more at the end.
    fn run(&self, source: &Source, asked: &Receiver<()>, metrics: &mut ResourceMetrics) {
        let mut due = Instant::now() + self.interval;
        loop {
            let ends = match asked.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Err(RecvTimeoutError::Timeout) => false,
                Ok(()) | Err(RecvTimeoutError::Disconnected) => true,
            };
            let collected = self.collect(source, metrics);
            self.exporter.export(collected, metrics);
            if ends {
                return;
            }
            due = (due + self.interval).max(Instant::now());
        }
    }

    fn collect(&self, source: &Source, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        let collect = || self.reader.0.collect(metrics);
        let collected = catch_unwind(AssertUnwindSafe(|| source.holding_one(collect)));
        collected.unwrap_or_else(|_| Err(OTelSdkError::InternalFailure("collecting the metrics panicked".into())))
    }
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

impl SharedReader {
    pub fn new(temporality: Temporality) -> Self {
        Self(Arc::new(ManualReader::builder().with_temporality(temporality.into()).build()))
    }
}

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

    fn temporality(&self, kind: InstrumentKind) -> opentelemetry_sdk::metrics::Temporality {
        self.0.temporality(kind)
    }
}

impl From<Temporality> for opentelemetry_sdk::metrics::Temporality {
    fn from(temporality: Temporality) -> Self {
        match temporality {
            Temporality::Cumulative => Self::Cumulative,
            Temporality::Delta => Self::Delta,
            Temporality::LowMemory => Self::LowMemory,
        }
    }
}
