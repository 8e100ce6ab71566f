"""Plants one fault after another and runs the test that must notice it. See docs/reliability.md.

Each is planted in a copy of the sources, which shares the build's folder: dependencies are not built again.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import time

# What is planted, the file, what stands there and what takes its place, and the tests that must fail: of the library ("lib"), or of
# the program ("it").
FAULTS = [
    ("a commit is not synced", "src/ledger/connection.rs", '"synchronous", "FULL"', '"synchronous", "NORMAL"', "it", "power_cut"),
    ("an answer although the commit failed", "src/writer/run.rs",
     "span.in_scope(|| self.ledger.commit(&commit, now.time)).inspect_err(|_| spans::failed(&span))?;",
     "let _ = span.in_scope(|| self.ledger.commit(&commit, now.time)).inspect_err(|_| spans::failed(&span));", "it", "disk::"),
    ("a known id counts again", "src/writer/decide.rs",
     "let Some(known) = self.known(&keyed, &recorded)? else {", "let Some(known) = self.known(&keyed, &recorded)?.filter(|_| false) else {",
     "lib", "writer::tests"),
    ("sums are floats", "src/domain/money.rs",
     "self.0.checked_add(other.0).map(Self)", "Some(Self((self.0 as f64 + other.0 as f64) as i128))", "lib", "domain::"),
    ("the writer grants what a check allowed before", "src/writer/reserve.rs",
     "Admission::Refused(refusal) => {", "Admission::Refused(refusal) if !matches!(refusal, Refusal::BudgetExhausted(_)) => {",
     "lib", "writer::reservation_tests"),
    ("a hold stays after its cost", "src/writer/draft.rs",
     "if self.next.remove_hold(before.seq).is_none() {", "if false {", "lib", "writer::reservation_tests"),
    ("a threshold is passed, not reached", "src/budget/bars.rs",
     "spent.get(at).copied().unwrap_or(0) >= *bar", "spent.get(at).copied().unwrap_or(0) > *bar", "lib", "budget::"),
    ("days of UTC in any zone", "src/domain/period.rs",
     "        self.0.to_datetime(time).date()", "        jiff::tz::TimeZone::UTC.to_datetime(time).date()", "lib", "domain::"),
    ("a wrapper's span is charged as well", "src/writer/calls.rs",
     "        if judgement.is_repeat {\n            if !trace.has", "        if false {\n            if !trace.has", "lib", "writer::calls_tests"),
    ("a price is rounded a token", "src/pricing/amount.rs",
     "let (numerator, denominator) = lowest(numerator % denominator, denominator);\n        // Two",
     "let (numerator, denominator) = (0_u128, denominator);\n        // Two", "lib", "pricing::"),
    ("a lease is not subtracted", "src/fleet/pool.rs",
     "        self.limit - self.claimed\n    }\n\n    /// Whether agents", "        self.limit - self.spent - self.held\n    }\n\n    /// Whether agents",
     "lib", "fleet::"),
    ("the log's mark is not looked at", "src/ledger/wal_mark.rs",
     "match problem(ledger) {", "match problem(ledger).map(|_| None::<String>) {", "lib", "ledger::tests::log"),
]


def main():
    parser = argparse.ArgumentParser(prog="scripts/planted", description=__doc__)
    parser.add_argument("words", nargs="*", help="only faults whose description contains one of these")
    options = parser.parse_args()
    copy = pathlib.Path("target/planted")
    shutil.rmtree(copy, ignore_errors=True)
    keep_out = shutil.ignore_patterns("target", ".git")
    shutil.copytree(".", copy, ignore=keep_out)
    environment = {**os.environ, "CARGO_TARGET_DIR": str(pathlib.Path("target").resolve()), "CARGO_INCREMENTAL": "1"}
    unnoticed = 0
    for what, file, old, new, target, tests in FAULTS:
        if options.words and not any(word in what for word in options.words):
            continue
        source = pathlib.Path(file).read_text()
        assert source.count(old) == 1, f"{what}: {file} has {source.count(old)} of {old!r}"
        (copy / file).write_text(source.replace(old, new))
        began = time.monotonic()
        command = ["cargo", "test", "--quiet", *(["--lib"] if target == "lib" else ["--test", target]), "--", tests]
        build = subprocess.run([*command[:-2], "--no-run"], cwd=copy, env=environment, capture_output=True, text=True)
        assert build.returncode == 0, f"{what}: it does not build: {build.stderr[-2000:]}"
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
        (copy / file).write_text(source)
        failed = sorted({line.split("---- ")[1].split(" ")[0] for line in done.stdout.splitlines() if line.startswith("---- ")})
        unnoticed += done.returncode == 0
        said = "NOT NOTICED" if done.returncode == 0 else f"noticed by {len(failed)}: {', '.join(failed[:3])}"
        print(f"{what} ({file}): {said} ({time.monotonic() - began:.0f} s)", flush=True)
    shutil.rmtree(copy)
    sys.exit(1 if unnoticed else 0)


if __name__ == "__main__":
    main()
