#!/usr/bin/env bash
# Package:  warp 0.4.3
# Expected: a String parameter of a path is what the client named: "job/7 a".
# Seen:     it is the encoded text, so one id has many spellings, and none of them is found under the one that a JSON
#           body gave.
# Output:   job%2F7%20a
# Here:     segments are decoded once, strictly (src/api/percent.rs);
#           src/api/tests/reservations.rs::a_reservation_is_shown_with_all_that_is_known_of_it
set -euo pipefail
expected='job%2F7%20a'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat > "$folder/Cargo.toml" <<'END'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"

[dependencies]
warp = { version = "=0.4.3", default-features = false, features = ["server", "compression", "test"] }
tokio = { version = "=1.54.1", features = ["full"] }
serde = { version = "=1.0.229", features = ["derive"] }
serde_json = "=1.0.154"

[profile.dev]
debug = false

[workspace]
END
cat > "$folder/src/main.rs" <<'END'
use warp::Filter;

#[tokio::main]
async fn main() {
    let route = warp::path!("reservations" / String).map(|id: String| id);
    let answer = warp::test::request().path("/reservations/job%2F7%20a").reply(&route).await;
    println!("{}", String::from_utf8_lossy(answer.body()));
}
END
export CARGO_TARGET_DIR="${FINDINGS_TARGET:-$folder/target}"
seen=$(cargo run --quiet --manifest-path "$folder/Cargo.toml")
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
