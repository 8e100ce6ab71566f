//! The meter provider with its readers: one for the Prometheus text, and, where metrics are pushed, one for the push.
//!
//! *Invariants.* It is made over a board that is there already, so there is no time in which a scrape could show an agent without
//! its ledger. Whatever it cannot have fails the start.

use std::sync::Arc;

use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_sdk::metrics::{Instrument, SdkMeterProvider, Stream};

use super::instruments;
use super::moment::Source;
use super::otlp::{ExportsFailing, Otlp};
use super::scrape::Scraper;
use super::settings::Settings;
use crate::clock::Clock;
use crate::views::Board;

/// Under which name the instruments are made. It appears in OTLP only, never as a label.
const METER_NAME: &str = env!("CARGO_PKG_NAME");

/// The meter provider with its readers, and the way to the text.
#[derive(Debug)]
pub struct Telemetry {
    // Dropping the provider would empty every later scrape, so it lives as long as this does.
    provider: SdkMeterProvider,
    meter: Meter,
    pub(super) source: Arc<Source>,
    scraper: Scraper,
    otlp: Option<Otlp>,
}

/// Why there can be no metrics.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The reader could not be joined to its registry.
    #[error("cannot set up the Prometheus reader")]
    Reader(#[source] opentelemetry_sdk::error::OTelSdkError),
    /// The metrics of the process could not be joined to the registry.
    #[error("cannot set up the process metrics")]
    Process(#[source] prometheus::Error),
    /// The system gave no thread to push metrics from.
    #[error("cannot start pushing metrics")]
    Push(#[source] std::io::Error),
}

impl Telemetry {
    /// Shows what is on the board, the build and the process. `otlp` brings a second reader, where metrics are pushed as well.
    ///
    /// # Errors
    /// The reader or the process collector cannot be registered; not expected, since the registry is new.
    pub fn new(settings: &Settings, board: Arc<Board>, clock: Clock, otlp: Option<Otlp>) -> Result<Self, TelemetryError> {
        let registry = prometheus::Registry::new();
        let reader = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .without_target_info()
            .build()
            .map_err(TelemetryError::Reader)?;
        register_process(&registry).map_err(TelemetryError::Process)?;

        let source = Arc::new(Source::new(board, clock, &settings.series));
        let bounds = Arc::clone(&source);
        let mut provider = SdkMeterProvider::builder().with_reader(reader).with_view(move |instrument: &Instrument| {
            let series_max = instruments::series_max(instrument.name(), &bounds)?;
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
        instruments::build_info(&meter, settings);
        instruments::over_views(&meter, &source);
        if let Some(otlp) = &otlp {
            otlp.show(&meter);
        }
        let scraper = Scraper::new(registry, Arc::clone(&source));
        Ok(Self { provider, meter, source, scraper, otlp })
    }

    /// Pushes metrics from now on, where they are pushed. Call it once every stage has made its instruments.
    ///
    /// # Errors
    /// The system gave no thread.
    pub fn push(&mut self) -> Result<(), TelemetryError> {
        self.otlp.as_mut().map_or(Ok(()), |otlp| otlp.start(&self.source)).map_err(TelemetryError::Push)
    }

    /// What other stages make their instruments with.
    pub fn meter(&self) -> Meter {
        self.meter.clone()
    }

    /// The way to the Prometheus text.
    pub fn scraper(&self) -> Scraper {
        self.scraper.clone()
    }

    /// What cannot be pushed at present.
    pub fn exports_failing(&self) -> ExportsFailing {
        self.otlp.as_ref().map(Otlp::failing).unwrap_or_default()
    }

    /// Pushes what is there for the last time and stops the readers. Later scrapes fail. It blocks for up to
    /// [`FLUSH_MAX`](super::otlp::FLUSH_MAX), so call it off the async threads.
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
