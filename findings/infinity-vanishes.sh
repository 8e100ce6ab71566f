#!/usr/bin/env bash
# Package:  opentelemetry_sdk 0.33.1 (read through opentelemetry-prometheus 0.33.1)
# Expected: a gauge shows +Inf and NaN, which Prometheus has words for; "used of a limit of 0" is a natural +Inf.
# Seen:     such a value is dropped without an error or a log line, so the series is absent, and an alert on it is
#           silent.
# Output:   finite 1 (and nothing else)
# Here:     a budget of 0 that is used up shows 100 percent;
#           src/telemetry/tests.rs::an_empty_ledger_shows_no_cost_and_a_removed_budget_no_utilization
set -euo pipefail
expected='# TYPE finite gauge
finite 1'
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
    let meter = provider.meter("shop");
    for (name, value) in [("finite", 1.0), ("infinite", f64::INFINITY), ("undefined", f64::NAN)] {
        meter.f64_gauge(name).build().record(value, &[]);
    }
    print!("{}", prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap());
}
END
export CARGO_TARGET_DIR="${FINDINGS_TARGET:-$folder/target}"
seen=$(cargo run --quiet --manifest-path "$folder/Cargo.toml")
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
