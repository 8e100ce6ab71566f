#!/usr/bin/env bash
# Package:  opentelemetry-prometheus 0.33.1 (opentelemetry_sdk 0.33.1, prometheus 0.14.0)
# Expected: a counter that is named calls_total, as Prometheus wants it, is exposed as calls_total.
# Seen:     the suffix is appended to every counter, also to a name that has it: dashboards ask for a series that is not
#           there.
# Output:   calls_total_total 1
# Here:     counters are named without the suffix;
#           src/telemetry/tests.rs::every_metric_has_help_and_none_has_a_scope_or_a_target
set -euo pipefail
expected='# TYPE calls_total_total counter
calls_total_total 1'
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
    provider.meter("shop").u64_counter("calls_total").build().add(1, &[]);
    print!("{}", prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap());
}
END
export CARGO_TARGET_DIR="${FINDINGS_TARGET:-$folder/target}"
seen=$(cargo run --quiet --manifest-path "$folder/Cargo.toml")
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
