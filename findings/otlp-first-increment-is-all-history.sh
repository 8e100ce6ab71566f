#!/usr/bin/env bash
# Package:  opentelemetry-otlp 0.33.1 (opentelemetry_sdk 0.33.1), HTTP with protobuf
# Expected: with delta temporality, the first increment of an observable counter counts from its first observation: 0.
# Seen:     it counts from 0, so the first push after each start is the whole history again; sums over days multiply.
# Output:   AsInt(1000), then AsInt(0)
# Here:     increments are made by ourselves (telemetry/otlp/increments.rs);
#           tests/it/otlp/increments.rs::they_add_up_to_what_was_recorded_and_history_is_none_of_them
set -euo pipefail
expected='AsInt(1000)
AsInt(0)'
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
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
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
    let (url, received) = collector("application/x-protobuf", Vec::new());
    let exporter = MetricExporter::builder().with_http().with_endpoint(url).with_temporality(Temporality::Delta);
    let reader = PeriodicReader::builder(exporter.build().unwrap()).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    // A total that is durable: 1,000 when the process starts, and nothing is added.
    let meter = provider.meter("shop");
    let counter = meter.u64_observable_counter("sold");
    counter.with_callback(|observer| observer.observe(1_000, &[])).build();
    for _ in 0..2 {
        provider.force_flush().unwrap();
        let request = ExportMetricsServiceRequest::decode(&received.recv().unwrap().1[..]).unwrap();
        let Some(Data::Sum(sum)) = &request.resource_metrics[0].scope_metrics[0].metrics[0].data else { panic!() };
        println!("{:?}", sum.data_points[0].value.unwrap());
    }
}
END
export CARGO_TARGET_DIR="${FINDINGS_TARGET:-$folder/target}"
seen=$(cargo run --quiet --manifest-path "$folder/Cargo.toml")
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
