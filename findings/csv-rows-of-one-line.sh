#!/usr/bin/env bash
# Package:  csv 1.4.0
# Expected: the line of a record's position is another one for each row: `\r`, `\n` and `\r\n` end a record alike, as
#           Terminator::CRLF is documented.
# Seen:     only `\n` counts. In a sheet whose rows end with `\r` (as spreadsheets for the Mac save them) every row is on
#           line 1; whoever makes an id or a message of the line has one for all of them.
# Output:   rows 3, on lines 1 1 1
# Here:     each row of an import has a number of its own;
#           src/transfer/sheet_rows.rs::rows_without_ids_are_told_apart_whatever_ends_their_lines
set -euo pipefail
expected='rows 3, on lines 1 1 1'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat > "$folder/Cargo.toml" <<'END'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"

[dependencies]
csv = "=1.4.0"

[profile.dev]
debug = false

[workspace]
END
cat > "$folder/src/main.rs" <<'END'
fn main() {
    let sheet = "service,amount_usd\ropenai,1\ropenai,2\ropenai,3\r";
    let mut reader = csv::Reader::from_reader(sheet.as_bytes());
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    let lines: Vec<_> = rows.iter().map(|row| row.position().unwrap().line().to_string()).collect();
    println!("rows {}, on lines {}", rows.len(), lines.join(" "));
}
END
export CARGO_TARGET_DIR="${FINDINGS_TARGET:-$folder/target}"
seen=$(cargo run --quiet --manifest-path "$folder/Cargo.toml")
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
