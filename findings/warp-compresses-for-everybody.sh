#!/usr/bin/env bash
# Package:  warp 0.4.3, feature compression
# Expected: warp::compression::gzip() compresses for a client whose Accept-Encoding allows it.
# Seen:     it compresses every answer, also for a client that allows identity only: it gets bytes that it cannot read.
# Output:   gzip
# Here:     answers are never compressed; src/api does without the feature, and tests/it/support/http.rs reads bodies as
#           they come
set -euo pipefail
expected='gzip'
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
    let route = warp::path("costs").map(|| "0.5").with(warp::compression::gzip());
    let request = warp::test::request().header("accept-encoding", "identity");
    let answer = request.path("/costs").reply(&route).await;
    println!("{}", answer.headers()["content-encoding"].to_str().unwrap());
}
END
export CARGO_TARGET_DIR="${FINDINGS_TARGET:-$folder/target}"
seen=$(cargo run --quiet --manifest-path "$folder/Cargo.toml")
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
