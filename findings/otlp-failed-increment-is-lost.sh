#!/usr/bin/env bash
# Package:  opentelemetry_sdk 0.33.1
# Expected: with delta temporality, an increment whose export failed is part of the next one.
# Seen:     an increment counts as told once it is collected: 5, of which the export failed, are never pushed.
# Output:   2
# Here:     increments are made against what the collector last took (telemetry/otlp/deliver.rs);
#           tests/it/otlp/increments.rs::what_a_collector_did_not_take_comes_with_the_next_ones
set -euo pipefail
expected='2'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat > "$folder/Cargo.toml" <<'END'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"

[dependencies]
opentelemetry = { version = "=0.33.1", default-features = false, features = ["metrics"] }
opentelemetry_sdk = { version = "=0.33.1", default-features = false, features = ["metrics"] }

[profile.dev]
debug = false

[workspace]
END
cat > "$folder/src/main.rs" <<'END'
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};

/// Prints increments, or fails as long as there are failures left.
struct Exporter(AtomicU32);

impl PushMetricExporter for Exporter {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        if self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            return Err(OTelSdkError::InternalFailure("the collector is away".into()));
        }
        for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
            let AggregatedMetrics::F64(MetricData::Sum(sum)) = metric.data() else { panic!() };
            sum.data_points().for_each(|point| println!("{}", point.value()));
        }
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Delta
    }
}

fn main() {
    static LOOKS: AtomicUsize = AtomicUsize::new(0);
    const TOTALS: [f64; 2] = [5.0, 7.0];
    let provider = SdkMeterProvider::builder().with_reader(PeriodicReader::builder(Exporter(AtomicU32::new(1))).build()).build();
    let meter = provider.meter("shop");
    let counter = meter.f64_observable_counter("sold");
    counter.with_callback(|observer| observer.observe(TOTALS[LOOKS.fetch_add(1, Ordering::Relaxed)], &[])).build();
    for _ in TOTALS {
        let _ = provider.force_flush();
    }
    // The shutdown would collect once more.
    std::process::exit(0);
}
END
export CARGO_TARGET_DIR="${FINDINGS_TARGET:-$folder/target}"
seen=$(cargo run --quiet --manifest-path "$folder/Cargo.toml")
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
