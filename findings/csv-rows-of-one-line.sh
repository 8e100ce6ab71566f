#!/usr/bin/env bash
# Package:  csv 1.4.0
# Expected: the line of a record's position is the one on which it begins: `\r`, `\n` and `\r\n` end a record alike, as
#           Terminator::CRLF is documented, and blank lines are passed over.
# Seen:     `\n` is counted, up to the end of the record before. Under a heading on line 1 three rows that end with `\r\n`
#           (RFC 4180) are on lines 1, 2, 3 and not 2, 3, 4; with a blank line before the second, that is on the blank one.
#           In a sheet whose rows end with `\r` (as spreadsheets for the Mac save them) every row is on line 1; whoever makes
#           an id of the line has one for all of them, and a message names the row before the bad one.
# Output:   \n: 2 3 4, \r\n: 1 2 3, \r: 1 1 1, blank: 2 3 5
# Here:     the agent counts the lines itself (src/transfer/line_starts.rs);
#           src/transfer/sheet_rows.rs::rows_are_told_by_the_line_on_which_they_begin_whatever_ends_their_lines
set -euo pipefail
expected='\n: 2 3 4, \r\n: 1 2 3, \r: 1 1 1, blank: 2 3 5'
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
fn lines(sheet: &str) -> String {
    let mut reader = csv::Reader::from_reader(sheet.as_bytes());
    let lines = reader.records().map(|row| row.unwrap().position().unwrap().line().to_string());
    lines.collect::<Vec<_>>().join(" ")
}

fn main() {
    let sheet = ["service,amount_usd", "openai,1", "openai,2", "openai,3", ""];
    let [unix, rfc, mac] = ["\n", "\r\n", "\r"].map(|end| lines(&sheet.join(end)));
    let blank = lines("service,amount_usd\nopenai,1\n\nopenai,2\nopenai,3\n");
    println!(r"\n: {unix}, \r\n: {rfc}, \r: {mac}, blank: {blank}");
}
END
export CARGO_TARGET_DIR="${FINDINGS_TARGET:-$folder/target}"
seen=$(cargo run --quiet --manifest-path "$folder/Cargo.toml")
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
