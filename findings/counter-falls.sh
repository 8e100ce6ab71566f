#!/usr/bin/env bash
# Package:  opentelemetry_sdk 0.33.1 (read through opentelemetry-prometheus 0.33.1)
# Expected: a counter refuses a negative amount, as the specification says, or at least ignores it.
# Seen:     it falls. Prometheus takes a fall for a restart from 0: increase() then counts the 3 USD that are left as
#           new cost.
# Output:   5, then 3
# Here:     charges and credits are two counters;
#           src/telemetry/tests.rs::cost_is_shown_by_service_and_counters_by_operation
set -euo pipefail
expected='5
3'
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

fn main() {
    let registry = prometheus::Registry::new();
    let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone()).without_target_info();
    let reader = exporter.scope_info_enabled(false).build().unwrap();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    let spent = provider.meter("shop").f64_counter("spent_usd").build();
    for amount in [5.0, -2.0] {
        spent.add(amount, &[]);
        println!("{}", registry.gather()[0].get_metric()[0].get_counter().get_value());
    }
}
END
export CARGO_TARGET_DIR="${FINDINGS_TARGET:-$folder/target}"
seen=$(cargo run --quiet --manifest-path "$folder/Cargo.toml")
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
