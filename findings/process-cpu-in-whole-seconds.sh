#!/usr/bin/env bash
# Package:  prometheus 0.14.0 (the Rust client, feature process)
# Expected: process_cpu_seconds_total is precise to the hundredth of a second that the kernel tells, as in the Go
#           client.
# Seen:     it is cut to whole seconds: a process that uses 2 % of a core shows rate() 0 for 50 s, then a spike.
# Output:   whole seconds
# Here:     nothing of ours is computed from it; alerts look at the queue and the ledger, docs/runbooks
set -euo pipefail
expected='whole seconds'
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
use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;

fn main() {
    let process = ProcessCollector::for_self();
    // Asking is what uses the CPU, until there are two values.
    let mut values = vec![0.0];
    while values.len() < 3 {
        let families = process.collect();
        let cpu = families.iter().find(|family| family.name() == "process_cpu_seconds_total").unwrap();
        values.push(cpu.get_metric()[0].get_counter().get_value());
        values.dedup();
    }
    println!("{}", if values.iter().all(|value| value.fract() == 0.0) { "whole seconds" } else { "parts of seconds" });
}
END
export CARGO_TARGET_DIR="${FINDINGS_TARGET:-$folder/target}"
seen=$(cargo run --quiet --manifest-path "$folder/Cargo.toml")
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
