"""Changes modules in one place at a time and runs their unit tests. See docs/reliability.md.

cargo-mutants says what is changed; `.cargo/mutants.toml` what is not, and why. To build the crate anew for each of thousands of mutants would
take days. So a module is built in a crate that holds only it and the modules that it uses, with all mutants in it, of which
a variable of the environment chooses one (`schemata.py`). Those that cannot be written so, and those that no test noticed, cargo-mutants
then builds and tests by itself.
"""

import argparse
import collections
import concurrent.futures
import json
import math
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import typing

import schemata
from crates import FOLDER, PARTS, crate

# A mutant may ask for all memory there is.
MEMORY_BYTES_MAX = 4 << 30
# Where a mutant waits for ever.
SECONDS_MAX = 600
# The same of one that is built by itself: the tests of a part take a second or two.
SECONDS_ALONE_MAX = 60
# Tests that take no longer together run together.
SECONDS_OF_GROUP = 0.5
# For ledgers that live for one test.
IN_MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None


def listed(part, only):
    """The mutants that cargo-mutants would make."""
    changed = only or [f"src/{part}/{file}" for file in PARTS[part].files]
    command = ["cargo", "mutants", "--dir", str(FOLDER / part), "--list", "--json", *[f"--file={file}" for file in changed]]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def build(folder, mutants):
    """The tests with the mutants in them, and the numbers of those that could not be put in."""
    left_out = set()
    files = schemata.by_file(mutants)
    texts = {file: (folder / file).read_text() for file in files}
    (folder / "src/mutant.rs").write_text(schemata.MODULE.replace("COUNT", str(len(mutants) + 1)))
    with (folder / "src/lib.rs").open("a") as lib:
        lib.write("pub mod mutant;\n")
    while True:
        for file, inside in files.items():
            inside = [(number, mutant) for number, mutant in inside if number not in left_out]
            text, unwritten = schemata.woven(texts[file], inside)
            (folder / file).write_text(text)
            left_out.update(unwritten)
        command = ["cargo", "test", "--lib", "--no-run", "--message-format=json"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        if done.returncode == 0:
            return next(message["executable"] for message in messages if message.get("executable")), left_out
        errors = [message["message"] for message in messages if message.get("message", {}).get("level") == "error"]
        blamed = set()
        # An arm that is missing elsewhere is none of the lines that the compiler shows.
        for around in (0, 10):
            blamed |= set().union(*(blamed_for(folder, error, texts, around) for error in errors)) if not blamed - left_out else set()
        if not blamed - left_out:
            sys.exit(f"{folder.name} does not build:\n" + "".join(error["rendered"] for error in errors))
        left_out |= blamed


def blamed_for(folder, error, files, around):
    """The numbers of the mutants near what an error of the compiler shows."""
    found = set()
    spans = [span for part in (error, *error["children"]) for span in part["spans"] if span["file_name"] in files]
    for file in {span["file_name"] for span in spans}:
        lines = [(span["line_start"] - around, span["line_end"] + around) for span in spans if span["file_name"] == file]
        found |= schemata.blamed((folder / file).read_text(), lines)
    return found


def filters(part):
    """What chooses the part's tests."""
    return [f"{tests}::" for tests in PARTS[part].tests]


class Test(typing.NamedTuple):
    """A test: its name, how long it takes without any mutant, in seconds of the processor, and the numbers of the mutants that it comes to."""

    name: str
    seconds: float
    reaches: set


def tests_of(executable, part):
    """The part's tests, the quickest first."""
    listed = subprocess.run([executable, *filters(part), "--list", "--format=terse"], check=True, capture_output=True, text=True).stdout
    names = [line.removesuffix(": test") for line in listed.splitlines() if line.endswith(": test")]
    return sorted((test_alone(executable, part, name) for name in names), key=lambda test: test.seconds)


def test_alone(executable, part, name):
    """Runs a test without any mutant."""
    seen = FOLDER / part / "seen"
    seen.unlink(missing_ok=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    if outcome(executable, part, 0, [name], SECONDS_MAX, seen) != "survived":
        sys.exit(f"{part}: a test fails without any mutant: {executable} --exact {name}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Test(name, seconds, {int(number) for number in seen.read_text().split()} if seen.exists() else set())


def tested(executable, part, number, tests):
    """Whether the tests that come to a mutant notice it: "killed", "timeout" or "survived". Quick ones run together, the rest one by one."""
    group, seconds = [], 0.0
    tests = [test for test in tests if number in test.reaches]
    for position, test in enumerate(tests):
        group.append(test.name)
        seconds += test.seconds
        if seconds >= SECONDS_OF_GROUP or position == len(tests) - 1:
            result = outcome(executable, part, number, group, math.ceil(5 + 5 * seconds))
            if result != "survived":
                return result
            group, seconds = [], 0.0
    return "survived"


def outcome(executable, part, number, names, cpu_seconds_max, seen=None):
    """What those tests say of a mutant. Time is that of the processor, whoever else has it."""
    environment = {**os.environ, "MUTANT": str(number), "RUST_TEST_THREADS": "1", "PROPTEST_MAX_SHRINK_ITERS": "0", "RUST_BACKTRACE": "0"}
    if seen:
        environment["MUTANTS_SEEN"] = str(seen)

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds_max, cpu_seconds_max))

    nothing = subprocess.DEVNULL
    command = [executable, "--exact", *names]
    # A test that is killed leaves its files.
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as environment["TMPDIR"]:
        try:
            done = subprocess.run(command, cwd=FOLDER / part, env=environment, stdout=nothing, stderr=nothing, timeout=SECONDS_MAX, preexec_fn=limit)
        except subprocess.TimeoutExpired:
            return "timeout"
    if done.returncode:
        return "timeout" if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL) else "killed"
    return "survived"


def confirm(part, mutants):
    """What cargo-mutants says of these: it builds the crate for each."""
    folder = crate(part)
    names = "|".join(re.escape(mutant["name"]) for mutant in mutants)
    out = FOLDER / f"{part}.out"
    shutil.rmtree(out, ignore_errors=True)
    command = [
        "cargo", "mutants", "--dir", str(folder), "--in-place", "--output", str(out), "--no-times", "--colors", "never",
        "--timeout", str(SECONDS_ALONE_MAX),
        *[f"--file={file}" for file in {mutant["file"] for mutant in mutants}], "--re", f"^({names})$", "--", "--lib", "--", *filters(part),
    ]
    subprocess.run(command)
    outcomes = json.loads((out / "mutants.out/outcomes.json").read_text())["outcomes"]
    words = {"CaughtMutant": "killed", "Timeout": "timeout", "MissedMutant": "survived", "Unviable": "unviable"}
    said = [(outcome["scenario"], outcome["summary"]) for outcome in outcomes]
    found = {scenario["Mutant"]["name"]: words[summary] for scenario, summary in said if isinstance(scenario, dict)}
    # A pattern does not choose among fields of structs.
    return {mutant["name"]: found[mutant["name"]] for mutant in mutants if mutant["name"] in found}


def run(part, options):
    began = time.monotonic()
    record = FOLDER / f"{part}.json"
    folder = crate(part)
    mutants = listed(part, options.file)[:: options.every]
    known = {}
    if options.survivors:
        names = {mutant["name"] for mutant in mutants}
        known = {name: result for name, result in json.loads(record.read_text()).items() if name in names}
        mutants = [mutant for mutant in mutants if known.get(mutant["name"]) in (None, "survived", "timeout", "not built")]
    executable, left_out = build(folder, mutants)
    first = time.monotonic()
    tests = tests_of(executable, part)
    reached = set().union(*(test.reaches for test in tests))
    numbers = [number for number in range(1, len(mutants) + 1) if number not in left_out]
    print(f"{part}: {len(mutants)} mutants, {len(left_out)} to be built one by one, {len(set(numbers) - reached)} where no test comes; built in "
          f"{first - began:.0f} s, {len(tests)} tests in {sum(test.seconds for test in tests):.1f} s of the processor", flush=True)
    results = {}

    def test(number):
        return number, tested(executable, part, number, tests)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for number, result in pool.map(test, numbers):
            results[mutants[number - 1]["name"]] = result
            if result == "survived":
                print(mutants[number - 1]["name"], flush=True)
    one_by_one = [mutants[number - 1] for number in sorted(left_out)]
    if options.quick:
        results |= {mutant["name"]: "not built" for mutant in one_by_one}
    else:
        one_by_one += [mutant for mutant in mutants if results.get(mutant["name"]) == "survived"]
        results |= confirm(part, one_by_one) if one_by_one else {}
    results = known | results
    record.write_text(json.dumps(results, indent=1))
    counts = collections.Counter(results.values())
    noticed, viable = counts["killed"] + counts["timeout"], counts["killed"] + counts["timeout"] + counts["survived"]
    print(f"{part}: {dict(counts)}; {100 * noticed / max(viable, 1):.1f} % in {time.monotonic() - began:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="scripts/mutants", description=__doc__)
    parser.add_argument("parts", nargs="+", choices=PARTS, help="what is changed")
    parser.add_argument("--file", action="append", help="only mutants of these files, as src/domain/money.rs")
    parser.add_argument("--every", type=int, default=1, help="each of so many: a sample")
    parser.add_argument("--survivors", action="store_true", help="only those that were not noticed the last time")
    parser.add_argument("--quick", action="store_true", help="without those that must be built one by one")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    # One for all parts: they have most dependencies in common.
    os.environ["CARGO_TARGET_DIR"] = str(FOLDER / "target")
    for part in options.parts:
        run(part, options)


if __name__ == "__main__":
    main()
