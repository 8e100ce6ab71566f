#!/usr/bin/env bash
# Package:  opentelemetry_sdk 0.33.1 (read through opentelemetry-prometheus 0.33.1)
# Expected: beyond the limit, values of an observable counter add up in otel_metric_overflow: the total over all series
#           stays right (as it does for a counter that is added to).
# Seen:     each observation replaces the one before it, so the overflow series has the last value, and the total is too
#           small.
# Output:   2001 series, total 2001 (2,100 were observed)
# Here:     the limit is set above what the views can hold;
#           src/telemetry/tests.rs::thousands_of_names_sum_to_the_total_without_an_overflow_series
set -euo pipefail
expected='2001 series, total 2001'
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
use opentelemetry::KeyValue;

fn main() {
    let registry = prometheus::Registry::new();
    let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone()).without_target_info();
    let reader = exporter.scope_info_enabled(false).build().unwrap();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    // 2,100 users with one call each; 2,000 series are the limit.
    provider
        .meter("shop")
        .u64_observable_counter("calls")
        .with_callback(|observer| (0..2_100).for_each(|user| observer.observe(1, &[KeyValue::new("user", user)])))
        .build();
    let families = registry.gather();
    let total: f64 = families[0].get_metric().iter().map(|metric| metric.get_counter().get_value()).sum();
    println!("{} series, total {total}", families[0].get_metric().len());
}
END
export CARGO_TARGET_DIR="${FINDINGS_TARGET:-$folder/target}"
seen=$(cargo run --quiet --manifest-path "$folder/Cargo.toml")
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
