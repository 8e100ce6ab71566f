#!/usr/bin/env python3
"""Runs all tests by the oldest and the newest Python on this machine, several files at once, and shows what failed.

    python3 run.py [--jobs N] [--python PATH]… [WORD…]     only files whose names contain one of the words
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
OLDEST = (3, 9)
FILE_SECONDS_MAX = 240


def interpreters():
    """Paths of the oldest and the newest Python that this package supports; of one alone if there is one alone."""
    places = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder and "shims" not in folder]
    places += Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv").glob("versions/*/bin")
    found = {sys.version_info[:2]: sys.executable}
    for place in places:
        for path in place.glob("python3.*") if place.is_dir() else []:
            name = re.fullmatch(r"python3\.(\d+)", path.name)
            version = (3, int(name.group(1))) if name else (0, 0)
            if version >= OLDEST and version not in found and shutil.which(str(path)):
                found[version] = str(path)
    return list(dict.fromkeys([found[min(found)], found[max(found)]]))


def run(python, path):
    began = time.monotonic()
    # Development mode shows resources that are left open and exceptions that nobody sees.
    command = [python, "-X", "dev", str(path)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ended = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True, timeout=FILE_SECONDS_MAX)
        failed, said = ended.returncode != 0, ended.stderr + ended.stdout
    except subprocess.TimeoutExpired as late:
        failed, said = True, f"not done after {FILE_SECONDS_MAX} s\n{late.stderr}"
    if "ResourceWarning" in said or "Exception ignored" in said:
        failed = True
    return failed, time.monotonic() - began, said


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--jobs", type=int, default=8)
    options.add_argument("--python", action="append")
    options.add_argument("words", nargs="*")
    asked = options.parse_args()
    paths = [path for path in sorted(HERE.glob("test_*.py")) if not asked.words or any(word in path.name for word in asked.words)]
    if not paths:
        raise SystemExit("no such tests")
    failures = 0
    with concurrent.futures.ThreadPoolExecutor(asked.jobs) as pool:
        jobs = [(python, path, pool.submit(run, python, path)) for python in asked.python or interpreters() for path in paths]
        for python, path, job in jobs:
            failed, took, said = job.result()
            print(f"{'FAILED' if failed else 'ok':6} {path.name} by {python} ({took:.1f} s)", flush=True)
            failures += failed
            if failed:
                print(said, flush=True)
    raise SystemExit(1 if failures else 0)


if __name__ == "__main__":
    main()
