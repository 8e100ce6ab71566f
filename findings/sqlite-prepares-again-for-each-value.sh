#!/usr/bin/env bash
# Package:  SQLite 3.54.1 in apsw 3.54.1.0
# Expected: a prepared statement is prepared once, whatever values are bound to it.
# Seen:     where a column is compared with a parameter that the condition of a partial index compares with a constant, the
#           statement is prepared anew for each value, in case that it is the constant. SQLITE_DBCONFIG_ENABLE_QPSG ends that.
#           Whoever reads rows one by one spends as much time in the parser as in reading.
# Output:   how often it was prepared for 100 values: 101; with ENABLE_QPSG: 1
# Here:     `.cargo/config.toml` builds SQLite with ENABLE_QPSG;
#           src/ledger/connection.rs::a_statement_is_prepared_once_whatever_is_bound
set -euo pipefail
expected='101
1'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check apsw==3.54.1.0
seen=$("$folder/venv/bin/python" - <<'END'
import apsw

for stable in [0, 1]:
    connection = apsw.Connection(":memory:")
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, stable)
    connection.execute("CREATE TABLE event (seq INTEGER PRIMARY KEY, adjusts INTEGER, standing INTEGER)")
    connection.execute("CREATE INDEX adjusted ON event (adjusts) WHERE standing = 1")
    prepared = 0

    def count(operation, *_):
        global prepared
        prepared += operation == apsw.SQLITE_SELECT
        return apsw.SQLITE_OK

    connection.authorizer = count
    for value in range(100):
        connection.execute("SELECT seq FROM event WHERE adjusts = ? AND standing = ?", (value, value)).fetchall()
    print(prepared)
END
)
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
