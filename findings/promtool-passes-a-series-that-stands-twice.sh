#!/usr/bin/env bash
# Package:  Debian prometheus 2.42.0+ds-5+deb12u1 (promtool)
# Expected: promtool check metrics refuses a text in which one series has two values.
# Seen:     it says nothing and exits with 0.
# Output:   exit code 0
# Here:     the tests read /metrics with a parser of their own that wants each series once;
#           tests/it/support/exposition.rs, tests/it/metrics.rs::names_labels_types_and_help_are_as_written_down
set -euo pipefail
expected='exit code 0'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"
apt-get --quiet=2 download prometheus=2.42.0+ds-5+deb12u1
dpkg-deb --extract prometheus_*.deb .
code=0
usr/bin/promtool check metrics <<'END' || code=$?
# HELP calls_total Calls.
# TYPE calls_total counter
calls_total{service="a"} 1
calls_total{service="a"} 2
END
seen="exit code $code"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
