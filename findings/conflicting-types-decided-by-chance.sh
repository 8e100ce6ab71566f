#!/usr/bin/env bash
# Package:  opentelemetry-prometheus 0.33.1 (opentelemetry_sdk 0.33.1, prometheus 0.14.0)
# Expected: of two metrics with one name and different types, the one that was made first is shown each time.
# Seen:     which of them survives changes from provider to provider, so from start to start; the other one is missing.
# Output:   counter or gauge
# Here:     each name is made once, and the exposition is compared with a golden file;
#           tests/it/metrics.rs::names_labels_types_and_help_are_as_written_down
set -euo pipefail
expected='counter or gauge'
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
use std::collections::BTreeSet;

fn survivor() -> String {
    let registry = prometheus::Registry::new();
    let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone()).without_target_info();
    let reader = exporter.scope_info_enabled(false).build().unwrap();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    provider.meter("a").u64_counter("calls").build().add(1, &[]);
    provider.meter("b").u64_gauge("calls_total").build().record(2, &[]);
    let families = registry.gather();
    assert_eq!(families.len(), 1);
    format!("{:?}", families[0].get_field_type()).to_lowercase()
}

fn main() {
    // The chance that 64 runs agree is 2 to the power of -63.
    let survivors: BTreeSet<String> = (0..64).map(|_| survivor()).collect();
    println!("{}", Vec::from_iter(survivors).join(" or "));
}
END
export CARGO_TARGET_DIR="${FINDINGS_TARGET:-$folder/target}"
seen=$(cargo run --quiet --manifest-path "$folder/Cargo.toml")
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
