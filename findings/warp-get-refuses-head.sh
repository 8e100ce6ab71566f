#!/usr/bin/env bash
# Package:  warp 0.4.3
# Expected: a route with warp::get() answers HEAD like GET without the body, or says in Allow what it takes.
# Seen:     HEAD is a 405 without the Allow that HTTP demands of it: probes of load balancers that use HEAD take the
#           server for broken.
# Output:   HEAD 405, Allow: None
# Here:     routes name GET and HEAD, and 405 has its Allow;
#           src/api/tests/calls.rs::head_answers_as_get_does_without_the_body
set -euo pipefail
expected='GET 200, Allow: None
HEAD 405, Allow: None'
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
    let route = warp::path("health").and(warp::get()).map(|| "ok");
    for method in ["GET", "HEAD"] {
        let answer = warp::test::request().method(method).path("/health").reply(&route).await;
        println!("{method} {}, Allow: {:?}", answer.status().as_u16(), answer.headers().get("allow"));
    }
}
END
export CARGO_TARGET_DIR="${FINDINGS_TARGET:-$folder/target}"
seen=$(cargo run --quiet --manifest-path "$folder/Cargo.toml")
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
