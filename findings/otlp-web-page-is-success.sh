#!/usr/bin/env bash
# Package:  opentelemetry-otlp 0.33.1 (opentelemetry_sdk 0.33.1), HTTP with protobuf
# Expected: an answer that is no OTLP response, such as the sign-in page of a proxy, is a failed export.
# Seen:     every 2xx is a success, whatever its type and body; that it could not be read is known at debug level only.
# Output:   Ok(())
# Here:     what is no OTLP is a failed export (telemetry/otlp/answer.rs);
#           tests/it/otlp/failures.rs::it_answers_with_a_web_page, it_answers_something_that_is_no_otlp
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
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};

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
    let (url, _received) = collector("text/html", b"<html>Please sign in.</html>".to_vec());
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
