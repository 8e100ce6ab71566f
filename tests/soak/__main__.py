"""Starts a soak, and says in the end which bars it met."""

import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from . import options as options_of
from .agent import Failed
from .report import Report
from .run import soak


def tell(line):
    print(line, flush=True)


def main():
    options = options_of.read()
    # So that the folder goes and the program ends with this, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = Path(tempfile.mkdtemp(prefix="lead-factory-soak-", dir=options.folder))
    tell(f"seed {options.seed}, {options.minutes:g} minutes, in {folder}")
    try:
        report = Report(options, soak(options, folder, tell))
    except Failed as reason:
        tell(f"failed: {reason}")
        return 1
    except KeyboardInterrupt:
        return 1
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    tell("\n" + report.text())
    if options.json:
        options.json.write_text(json.dumps(report.figures(), ensure_ascii=False, indent=1) + "\n")
    tell("\nall bars met" if report.met() else "\na bar was missed")
    return 0 if report.met() else 1


sys.exit(main())
