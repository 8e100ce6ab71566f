#!/usr/bin/env bash
# Package:  opentelemetry-prometheus 0.33.1 (opentelemetry_sdk 0.33.1, prometheus 0.14.0)
# Expected: unit "1" says that a counter counts things without a unit; the specification names only gauges of it _ratio.
# Seen:     a count of calls becomes a ratio by name.
# Output:   calls_ratio_total 3
# Here:     units that are counted stand in braces; tests/it/metrics.rs::names_labels_types_and_help_are_as_written_down
set -euo pipefail
expected='# TYPE calls_ratio_total counter
calls_ratio_total 3'
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
    provider.meter("shop").u64_counter("calls").with_unit("1").build().add(3, &[]);
    print!("{}", prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap());
}
END
export CARGO_TARGET_DIR="${FINDINGS_TARGET:-$folder/target}"
seen=$(cargo run --quiet --manifest-path "$folder/Cargo.toml")
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
