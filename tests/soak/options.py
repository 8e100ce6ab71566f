"""What can be asked of a soak."""

import argparse
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def read(arguments=None):
    parser = argparse.ArgumentParser(
        prog="scripts/soak",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description="Loads the program with everything at once, kills it again and again, and compares every total with a model.",
        epilog="Exit codes: 0 all bars met, 1 one missed, 2 wrong usage.",
    )

    def number(name, default, what, kind=float):
        parser.add_argument(name, type=kind, default=default, metavar="N", help=what)

    number("--minutes", 30.0, "how long to load")
    number("--seed", 1, "chooses every name, amount and plan of the load", int)
    number("--kill-every", 60.0, "seconds between two kills; 0: none")
    number("--batch-events-per-second", 10_000, "durable events in batches", int)
    number("--batch-events", 1_000, "events in one batch", int)
    number("--singles-per-second", 500.0, "single posts")
    number("--single-connections", 32, "connections that single posts go over", int)
    number("--reservations-per-second", 100.0, "reservations, each settled, released or left to expire")
    number("--traces-per-second", 5.0, "OTLP bodies of ten spans")
    number("--viewers", 5, "people who look at the page, each every 5 seconds", int)
    number("--scrapes-per-second", 1.0, "scrapes of /metrics")
    number("--rss-max-mib", 96.0, "bar: the program's memory at any time")
    number("--single-p99-max-ms", 25.0, "bar: 99th percentile of single posts, apart from restarts")
    parser.add_argument(
        "--program", type=Path, default=ROOT / "target/release/lead-factory-metrics", metavar="PATH", help="what is tested"
    )
    parser.add_argument("--folder", type=Path, metavar="PATH", help="where to make the temporary folder; on a disk, not in memory")
    parser.add_argument("--keep", action="store_true", help="leave the ledger and the log behind")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument(
        "--judge", choices=("all", "counts"), default="all", help="counts: times and memory are told, and fail nothing (a busy machine)"
    )
    parser.add_argument(
        "--spoil", action="store_true", help="record one event behind the model's back; a soak that is worth something fails then"
    )
    options = parser.parse_args(arguments)
    if not options.program.is_file():
        parser.error(f"no program at {options.program}: cargo build --release")
    if options.minutes <= 0 or options.kill_every < 0 or not 1 <= options.batch_events <= 10_000:
        parser.error("--minutes is above 0, --kill-every at least 0, --batch-events between 1 and 10,000")
    if not options.batch_events_per_second + options.singles_per_second + options.reservations_per_second + options.traces_per_second:
        parser.error("there has to be something to record")
    for name, value in vars(options).items():
        if (name.endswith("_per_second") or name == "viewers") and value < 0:
            parser.error(f"--{name.replace('_', '-')} is at least 0")
    return options
