"""Bits that flip in each page of a closed ledger, and in the write-ahead log of one that was killed.

Each is noticed by a check or a start, or nothing that is shown changes.
"""

import concurrent.futures
import pathlib
import random
import shutil
import tempfile

from agent import Agent, Client, Refused
from model import Model, difference
from script import Script

OPERATIONS = 150
LANES = 2
PAGE_BYTES = 4_096
LOG_HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24


def prepared(program, folder, seed, is_killed):
    """A ledger with something of everything; and its script."""
    agent = Agent(program, folder)
    script, client = Script(seed, Model(), with_files=True), Client(agent)
    # Twice, so that a log has some of it, and the file the rest.
    for _ in range(2):
        if agent.is_running():
            agent.stop()
        agent.start()
        for _ in range(OPERATIONS):
            operation = script.next()
            operation.attempt(client)
            operation.apply(script)
    if is_killed:
        agent.kill()
    else:
        agent.stop()
    return script


def committed_bytes(log):
    """Up to where a write-ahead log holds commits: https://www.sqlite.org/fileformat2.html#the_write_ahead_log."""
    data = log.read_bytes()
    frame_bytes = FRAME_HEADER_BYTES + int.from_bytes(data[8:12], "big")
    ends = LOG_HEADER_BYTES
    for frame in range(LOG_HEADER_BYTES, len(data), frame_bytes):
        if data[frame + 8 : frame + 16] != data[16:24]:
            break
        if any(data[frame + 4 : frame + 8]):
            ends = frame + frame_bytes
    return ends


def flips(program, count, seed, report, is_killed, folder=None):
    """So many flips, spread over all pages."""
    chance = random.Random(seed)
    what = "log of a killed agent" if is_killed else "closed ledger"
    with tempfile.TemporaryDirectory(dir=folder) as root:
        whole = pathlib.Path(root) / "whole"
        script = prepared(program, whole, seed, is_killed)
        victim = whole / ("ledger.db-wal" if is_killed else "ledger.db")
        pages = (committed_bytes(victim) if is_killed else victim.stat().st_size) // PAGE_BYTES
        bits = []
        for page in range(pages):
            of_page = chance.sample(range(PAGE_BYTES * 8), count // pages + (page < count % pages))
            bits += (page * PAGE_BYTES * 8 + bit for bit in of_page)
        control = Agent(program, shutil.copytree(whole, pathlib.Path(root) / "control"))
        problem = control.verify() or difference(Client(control.start()), script.model)
        control.kill()
        assert not problem, f"without a flip: {problem}"
        counts = {"noticed by verify": 0, "noticed by the start": 0, "harmless": 0}

        def one(bit):
            return flip(program, pathlib.Path(root) / f"flip-{bit}", whole, victim.name, *divmod(bit, 8), script)

        with concurrent.futures.ThreadPoolExecutor(LANES) as lanes:
            for number, outcome in enumerate(lanes.map(one, bits), 1):
                counts[outcome] += 1
                if number % 500 == 0:
                    report(f"{number} flips in the {what}", **counts)
        return {"flips": len(bits), "in": what, "pages": pages, **counts}


def flip(program, folder, whole, name, place, bit, script):
    shutil.copytree(whole, folder)
    try:
        with open(folder / name, "r+b") as file:
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 1 << bit]))
        agent = Agent(program, folder)
        problem = agent.verify()
        if problem:
            assert problem.startswith("verify: 1:"), problem
            return "noticed by verify"
        try:
            agent.start()
        except Refused:
            return "noticed by the start"
        try:
            found = difference(Client(agent), script.model)
            assert not found, f"bit {bit} of byte {place} of {name}: {found}"
        finally:
            agent.kill()
        return "harmless"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
