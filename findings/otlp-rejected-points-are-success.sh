#!/usr/bin/env bash
# Package:  opentelemetry-otlp 0.33.1 (opentelemetry_sdk 0.33.1), HTTP with protobuf
# Expected: when the collector says that it rejected every data point, the export returns an error that says so.
# Seen:     it returns Ok; the rejection is a log line of the library, and no line at all without the crate's own
#           feature internal-logs.
# Output:   Ok(())
# Here:     answers are read by ourselves (telemetry/otlp/answer.rs);
#           tests/it/otlp/failures.rs::it_rejects_what_it_takes_and_that_is_a_failure_of_each_signal
set -euo pipefail
expected='Ok(())'
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
opentelemetry-otlp = { version = "=0.33.1", default-features = false, features = ["metrics", "http-proto", "reqwest-blocking-client"] }
opentelemetry-proto = { version = "=0.33.1", default-features = false, features = ["metrics", "gen-tonic-messages"] }
prost = "=0.14.6"

[profile.dev]
debug = false

[workspace]
END
cat > "$folder/src/main.rs" <<'END'
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use opentelemetry::metrics::MeterProvider;
use opentelemetry_otlp::{MetricExporter, WithExportConfig};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsPartialSuccess, ExportMetricsServiceResponse};
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use prost::Message;

/// A collector that answers every request like this; what it was sent comes out of the channel.
fn collector(content_type: &'static str, answer: Vec<u8>) -> (String, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/metrics", listener.local_addr().unwrap());
    let (sent, received) = channel();
    std::thread::spawn(move || {
        let (mut stream, mut bytes, mut buffer) = (listener.accept().unwrap().0, Vec::new(), [0; 65_536]);
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            bytes.extend_from_slice(&buffer[..count]);
            let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if bytes.len() < end + 4 + length.parse::<usize>().unwrap() {
                continue;
            }
            sent.send((head, bytes.split_off(end + 4))).unwrap();
            bytes.clear();
            let length = answer.len();
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n").unwrap();
            stream.write_all(&answer).unwrap();
        }
    });
    (url, received)
}

fn main() {
    let refused = ExportMetricsPartialSuccess { rejected_data_points: 1, error_message: "too old".into() };
    let answer = ExportMetricsServiceResponse { partial_success: Some(refused) };
    let (url, _received) = collector("application/x-protobuf", answer.encode_to_vec());
    let exporter = MetricExporter::builder().with_http().with_endpoint(url).build().unwrap();
    let provider = SdkMeterProvider::builder().with_reader(PeriodicReader::builder(exporter).build()).build();
    provider.meter("shop").u64_counter("calls").build().add(1, &[]);
    println!("{:?}", provider.force_flush());
}
END
export CARGO_TARGET_DIR="${FINDINGS_TARGET:-$folder/target}"
seen=$(cargo run --quiet --manifest-path "$folder/Cargo.toml")
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
