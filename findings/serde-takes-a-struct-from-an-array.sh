#!/usr/bin/env bash
# Package:  serde_json 1.0.154 with serde_derive 1.0.229
# Expected: a struct with deny_unknown_fields is read from an object with exactly these members, and from nothing else.
# Seen:     an array is taken by position: a list of lists passes for a list of events, and a swapped pair for a valid
#           one.
# Output:   openai 0.5
# Here:     an event is an object or is refused;
#           src/formats/native/tests.rs::every_bad_event_is_listed_with_its_place_and_id
set -euo pipefail
expected='openai 0.5'
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
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    service: String,
    amount_usd: f64,
}

fn main() {
    let Call { service, amount_usd } = serde_json::from_str(r#"["openai", 0.5]"#).unwrap();
    println!("{service} {amount_usd}");
}
END
export CARGO_TARGET_DIR="${FINDINGS_TARGET:-$folder/target}"
seen=$(cargo run --quiet --manifest-path "$folder/Cargo.toml")
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
