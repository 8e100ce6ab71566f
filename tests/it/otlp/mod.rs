//! The push over OTLP, as a collector sees it.

mod failures;
mod files;
mod increments;
mod metrics;
mod settings;
mod traces;

use crate::support::{Collector, Setup};

/// An agent that pushes everything quickly to one collector, over HTTP.
fn pushing(collector: &Collector) -> Setup {
    pushing_to(&collector.url())
}

fn pushing_to(url: &str) -> Setup {
    Setup::new()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        .env("OTEL_METRIC_EXPORT_INTERVAL", "50")
        .env("OTEL_BSP_SCHEDULE_DELAY", "50")
        .env("OTEL_BLRP_SCHEDULE_DELAY", "50")
}
