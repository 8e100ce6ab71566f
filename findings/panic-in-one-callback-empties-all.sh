#!/usr/bin/env bash
# Package:  opentelemetry-prometheus 0.33.1 (opentelemetry_sdk 0.33.1, prometheus 0.14.0)
# Expected: a callback that panics once spoils that scrape; the next has all metrics again.
# Seen:     the collector has a poisoned lock from then on and hands out nothing, without an error: an empty answer of
#           200.
# Output:   scrape 1: panicked, scrape 2: 0 metrics, scrape 3: 0 metrics
# Here:     callbacks catch their own panics, and a text that lacks build_info is an error;
#           src/telemetry/tests.rs::a_panicking_instrument_costs_only_its_own_series,
#           a_poisoned_reader_is_an_error_and_not_an_empty_answer
set -euo pipefail
expected='scrape 1: panicked
scrape 2: 0 metrics
scrape 3: 0 metrics'
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
opentelemetry-prometheus = "=0.33.1"
prometheus = { version = "=0.14.0", default-features = false, features = ["process"] }

[profile.dev]
debug = false

[workspace]
END
cat > "$folder/src/main.rs" <<'END'
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

fn main() {
    std::panic::set_hook(Box::new(|_| ()));
    let registry = prometheus::Registry::new();
    let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone()).without_target_info();
    let reader = exporter.scope_info_enabled(false).build().unwrap();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    let meter = provider.meter("shop");
    meter.u64_counter("calls").build().add(1, &[]);
    let first = AtomicBool::new(true);
    meter
        .u64_observable_gauge("queue")
        .with_callback(move |observer| {
            assert!(!first.swap(false, Ordering::Relaxed), "once");
            observer.observe(1, &[]);
        })
        .build();
    for scrape in 1..=3 {
        match catch_unwind(AssertUnwindSafe(|| registry.gather())) {
            Ok(families) => println!("scrape {scrape}: {} metrics", families.len()),
            Err(_) => println!("scrape {scrape}: panicked"),
        }
    }
}
END
export CARGO_TARGET_DIR="${FINDINGS_TARGET:-$folder/target}"
seen=$(cargo run --quiet --manifest-path "$folder/Cargo.toml")
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
