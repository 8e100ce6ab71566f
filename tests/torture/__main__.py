"""Tortures the program and counts what is lost, doubled, or wrong without a word. See docs/reliability.md."""

import argparse
import json
import os
import pathlib
import sys
import time

import calls
import disks
import flips
import kills
import memory
from agent import Gone


def parsed():
    parser = argparse.ArgumentParser(prog="scripts/torture", description=__doc__)
    parser.add_argument("--program", default="target/release/lead-factory-metrics", type=pathlib.Path)
    parser.add_argument("--seed", default="1", help="the same seed is the same work (times differ)")
    parser.add_argument("--folder", type=pathlib.Path, help="where ledgers are made: on a real disk; default: the system's temporary folder")
    parser.add_argument("--kills", type=int, default=0, metavar="N", help="SIGKILL at random under load")
    parser.add_argument("--calls", nargs="*", choices=list(calls.FAULTS), metavar="FAULT", help="at each disk call: kill, eio, enospc (all)")
    parser.add_argument("--operations", type=int, default=500, help="operations of the run for --calls")
    parser.add_argument("--step", type=int, default=1, help="only each so manyth call")
    parser.add_argument("--power", type=int, default=0, metavar="N", help="power cuts, half on ext4, half on xfs (root)")
    parser.add_argument("--full", type=int, default=0, metavar="N", help="full disks (root)")
    parser.add_argument("--squeezes", type=int, default=0, metavar="N", help="too little memory under load (root, control groups)")
    parser.add_argument("--flips", type=int, default=0, metavar="N", help="flipped bits, half in a closed ledger, half in the log of a killed one")
    parser.add_argument("--all", action="store_true", help="the figures of docs/reliability.md: takes hours")
    options = parser.parse_args()
    if options.all:
        options.kills, options.power, options.full, options.flips, options.calls = 1_000, 200, 100, 10_000, []
        options.squeezes = 100
    return options


def main():
    options = parsed()
    program, seed, folder = options.program.resolve(), options.seed, options.folder
    trials = []
    if options.kills:
        trials.append(lambda: kills.kills(program, options.kills, seed, report, folder))
    for fault in [] if options.calls is None else options.calls or list(calls.FAULTS):
        trials.append(lambda fault=fault: calls.at_each_call(program, fault, options.operations, seed, report, options.step, folder))
    for kind in ("ext4", "xfs") if options.power else ():
        trials.append(lambda kind=kind: disks.power_cuts(program, kind, options.power // 2, seed, report, folder))
    if options.full:
        trials.append(lambda: disks.full_disks(program, options.full, seed, report))
    if options.squeezes:
        trials.append(lambda: memory.squeezes(program, options.squeezes, seed, report, folder))
    for is_killed in (False, True) if options.flips else ():
        trials.append(lambda is_killed=is_killed: flips.flips(program, options.flips // 2, seed, report, is_killed, folder))
    if not trials:
        sys.exit("nothing to do: see --help")
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f}, seed {seed}, {program}", flush=True)
    failed = 0
    for trial in trials:
        began = time.monotonic()
        try:
            figures = trial()
            print(f"{json.dumps(figures)} in {time.monotonic() - began:.0f} s: nothing lost, nothing doubled, no wrong total", flush=True)
        except (AssertionError, Gone) as error:
            failed += 1
            print(f"FAILED after {time.monotonic() - began:.0f} s: {error}", flush=True)
    sys.exit(1 if failed else 0)


def report(what, **figures):
    print(f"  {what}: {json.dumps(figures)}", flush=True)


if __name__ == "__main__":
    main()
