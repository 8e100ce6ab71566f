#!/usr/bin/env bash
# Package:  tracing-appender 0.2.5
# Expected: dropping the guard of a non-blocking writer writes the lines that wait, or gives up; the program's own
#           output is its own.
# Seen:     with a full queue the guard prints a sentence on standard output, into whatever the program writes there;
#           where nobody takes standard output, a print waits or panics.
# Output:   Failed to send shutdown signal to logging worker. Error: Shutdown
# Here:     the queue is our own (telemetry/logs/queue.rs);
#           src/telemetry/logs/tests.rs::a_stuck_reader_delays_nobody_and_a_failing_one_stops_nobody
set -euo pipefail
expected='Failed to send shutdown signal to logging worker. Error: Shutdown'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat > "$folder/Cargo.toml" <<'END'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"

[dependencies]
tracing-appender = "=0.2.5"

[profile.dev]
debug = false

[workspace]
END
cat > "$folder/src/main.rs" <<'END'
use std::io::{self, Write};
use std::time::Duration;

use tracing_appender::non_blocking::NonBlockingBuilder;

/// A terminal or disk that takes half a second for each line.
struct Slow;

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        std::thread::sleep(Duration::from_millis(500));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn main() {
    let (mut lines, guard) = NonBlockingBuilder::default().buffered_lines_limit(1).finish(Slow);
    // One is being written, one waits; the others are dropped and counted.
    lines.write_all(b"a line\n").unwrap();
    std::thread::sleep(Duration::from_millis(200));
    for _ in 0..10 {
        lines.write_all(b"a line\n").unwrap();
    }
    drop(guard);
}
END
export CARGO_TARGET_DIR="${FINDINGS_TARGET:-$folder/target}"
seen=$(cargo run --quiet --manifest-path "$folder/Cargo.toml")
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
