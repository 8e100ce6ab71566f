//! What leaves as numbers, spans and log lines: the meter provider, the Prometheus text, the instruments over the views, the
//! logs, and the push of all three over OTLP.
//!
//! *Invariants.* Every number about money comes from the published views, and all series of one scrape from a single one of
//! them at a single time (`moment`). A scrape begins after it was asked for, so a client whose events were acknowledged finds
//! them in it. No instrument can end the others: a panic in one costs its own series in that scrape.
//!
//! *Limits.* One text is made at a time, however many ask ([`Scraper`]). Each instrument's series are bounded by the views; the
//! SDK's own limit is set above that bound, so it never folds anything. [`LOG_LINES_QUEUED_MAX`] log lines wait for a slow
//! reader, then lines are dropped and counted.
//!
//! *Deliberately not here.* Instruments of other stages: each makes its own in its constructor from [`Telemetry::meter`].

mod instruments;
mod logs;
mod moment;
pub mod otlp;
mod reload;
mod scrape;
mod settings;
pub mod spans;

use std::sync::{Arc, OnceLock};

use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_sdk::metrics::{Instrument, SdkMeterProvider, Stream};

use crate::clock::Clock;
use crate::views::Board;

pub use logs::{LOG_LINES_QUEUED_MAX, LogFlush, LogFormat, LogSettings, LogsAlreadySetUp, set_up_logs};
pub use otlp::{Otlp, OtlpSettings};
pub use reload::ReloadStatus;
pub use scrape::{ScrapeError, Scraper};
pub use settings::Settings;

use moment::Source;

/// Under which name the instruments are made. It appears in OTLP only, never as a label.
const METER_NAME: &str = "lead-factory-metrics";

/// The meter provider with its readers, and the way to the text.
#[derive(Debug)]
pub struct Telemetry {
    settings: Settings,
    // Dropping the provider would empty every later scrape, so it lives as long as this does.
    provider: SdkMeterProvider,
    meter: Meter,
    source: Arc<OnceLock<Source>>,
    scraper: Scraper,
    otlp: Option<Otlp>,
}

/// Why there can be no metrics.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The reader could not be joined to its registry.
    #[error("the Prometheus reader cannot be set up")]
    Reader(#[source] opentelemetry_sdk::error::OTelSdkError),
    /// The metrics of the process could not be joined to the registry.
    #[error("the process metrics cannot be set up")]
    Process(#[source] prometheus::Error),
    /// The system gave no thread to push metrics from.
    #[error("the push of metrics cannot be started")]
    Push(#[source] std::io::Error),
}

impl Telemetry {
    /// A meter provider with one Prometheus reader, and what is known before there is a ledger: the build and the process.
    ///
    /// # Errors
    /// The reader or the process collector cannot be registered; not expected, since the registry is new.
    pub fn new(settings: Settings) -> Result<Self, TelemetryError> {
        Self::pushing(settings, None)
    }

    /// The same; where metrics are pushed as well, a second reader stands beside the one for Prometheus.
    ///
    /// # Errors
    /// See [`Telemetry::new`].
    pub fn pushing(settings: Settings, otlp: Option<Otlp>) -> Result<Self, TelemetryError> {
        let registry = prometheus::Registry::new();
        let reader = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .without_target_info()
            .build()
            .map_err(TelemetryError::Reader)?;
        register_process(&registry).map_err(TelemetryError::Process)?;

        let source = Arc::new(OnceLock::<Source>::new());
        let bounds = Arc::clone(&source);
        let mut provider = SdkMeterProvider::builder().with_reader(reader).with_view(move |instrument: &Instrument| {
            let series_max = instruments::series_max(instrument.name(), bounds.get()?)?;
            // A limit that the SDK refuses (0) leaves its default; ours are sums of positive bounds.
            Stream::builder().with_cardinality_limit(series_max).build().ok()
        });
        if let Some(otlp) = &otlp {
            provider = provider.with_resource(otlp.resource());
            if let Some(reader) = otlp.reader() {
                provider = provider.with_reader(reader);
            }
        }
        let provider = provider.build();
        let meter = provider.meter(METER_NAME);
        instruments::build_info(&meter, &settings);
        if let Some(otlp) = &otlp {
            otlp.show(&meter);
        }
        let scraper = Scraper::new(registry, Arc::clone(&source));
        Ok(Self { settings, provider, meter, source, scraper, otlp })
    }

    /// Shows what is on the board from now on. Once; a second board is ignored, since two would show two truths.
    pub fn observe(&self, board: Arc<Board>, clock: Clock) {
        let source = Source::new(board, clock, &self.settings.series);
        if self.source.set(source).is_ok() {
            instruments::over_views(&self.meter, &self.source);
        }
    }

    /// Pushes metrics from now on, where they are pushed. Call it once there is a board to observe.
    ///
    /// # Errors
    /// The system gave no thread.
    pub fn push(&self) -> Result<(), TelemetryError> {
        self.otlp.as_ref().map_or(Ok(()), |otlp| otlp.start(&self.source)).map_err(TelemetryError::Push)
    }

    /// What other stages make their instruments with.
    pub fn meter(&self) -> Meter {
        self.meter.clone()
    }

    /// The way to the Prometheus text.
    pub fn scraper(&self) -> Scraper {
        self.scraper.clone()
    }

    /// Pushes what is there for the last time and stops the readers. Later scrapes fail. It blocks for up to
    /// [`otlp::FLUSH_MAX`], so call it off the async threads.
    pub fn shutdown(&self) {
        if let Some(otlp) = &self.otlp {
            otlp.shutdown();
        }
        if let Err(error) = self.provider.shutdown() {
            tracing::warn!(%error, "the meter provider did not shut down cleanly");
        }
    }
}

#[cfg(target_os = "linux")]
fn register_process(registry: &prometheus::Registry) -> prometheus::Result<()> {
    registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))
}

/// The process metrics are read from `/proc`.
#[cfg(not(target_os = "linux"))]
fn register_process(_registry: &prometheus::Registry) -> prometheus::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests;
