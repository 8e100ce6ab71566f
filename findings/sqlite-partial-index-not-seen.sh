#!/usr/bin/env bash
# Package:  SQLite 3.54.1 in apsw 3.54.1.0
# Expected: an index over rows WHERE state IN ('held', 'expired') serves a query for state = 'held', which it contains.
# Seen:     the planner does not look into the list: it reads the whole table, unless the query repeats the index's
#           condition to the letter.
# Output:   SCAN hold; with the condition repeated: SCAN hold USING INDEX open
# Here:     conditions repeat that of the index (ledger/reservations);
#           src/ledger/tests.rs::open_reservations_are_found_by_their_index
set -euo pipefail
expected='SCAN hold
SCAN hold USING INDEX open'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check apsw==3.54.1.0
seen=$("$folder/venv/bin/python" - <<'END'
import apsw

connection = apsw.Connection(":memory:")
connection.execute("CREATE TABLE hold (seq INTEGER PRIMARY KEY, state TEXT NOT NULL)")
connection.execute("CREATE INDEX open ON hold (seq) WHERE state IN ('held', 'expired')")
for condition in ["state = 'held'", "state IN ('held', 'expired') AND state = 'held'"]:
    plan = connection.execute(f"EXPLAIN QUERY PLAN SELECT seq FROM hold WHERE {condition}").fetchall()
    print(plan[0][3])
END
)
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
