"""A fault at each disk system call of a scripted run, one after another.

The run is cut into stretches. Each begins with a copy of the ledger as the stretch before left it, so that the thousandth call needs no
thousand before it. In the first one the calls of a start are among them; all starts are much alike.
"""

import copy
import itertools
import multiprocessing
import pathlib
import shutil
import subprocess
import tempfile
import time

from agent import Agent, Client, Gone, Refused
from model import Model, difference
from script import Script

DISK_CALLS = "pwrite64,fsync,fdatasync,ftruncate,unlink"
STRETCH = 25
LANES = 2
# What happens at the call. A disk that fails once may be asked again.
FAULTS = {"kill": "signal=KILL", "eio": "error=EIO", "enospc": "error=ENOSPC"}


class Tracer:
    """strace over a program that it starts, or that runs; until that ends."""

    def __init__(self, agent, options, from_the_start):
        command = ["strace", "-f", "-q", "-e", f"trace={DISK_CALLS}", *options]
        self.process = None
        if from_the_start:
            agent.start(command)
            return
        agent.start()
        self.process = subprocess.Popen([*command, "-p", str(agent.process.pid)], stderr=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while not all(map(is_traced, pathlib.Path(f"/proc/{agent.process.pid}/task").iterdir())):
            assert time.monotonic() < end, "strace does not hold every thread"
            time.sleep(0.002)

    def end(self):
        if self.process is not None:
            self.process.wait(30)


def is_traced(thread):
    try:
        status = (thread / "status").read_text()
    except OSError:
        return True
    return "TracerPid:\t0\n" not in status


class State:
    """The ledger and the script after a stretch."""

    def __init__(self, folder, script):
        self.folder, self.script = folder, script


def at_each_call(program, fault, operations, seed, report, step=1, folder=None):
    """The fault at every `step`th disk call of a run of so many operations."""
    counts = {"calls": 0, "ends before the call": 0, "at the start": 0, "refusals": 0}
    with tempfile.TemporaryDirectory(dir=folder) as root:
        root = pathlib.Path(root)
        state = State(root / "state-0", Script(seed, Model(), with_files=True))
        Agent(program, state.folder)
        for stretch in range(0, operations, STRETCH):
            calls, after = count_calls(program, root, state, stretch)
            # Each fault has a process of its own, forked from this one: so it has the script to itself without a copy.
            part = (program, root, state, stretch, fault)
            with multiprocessing.get_context("fork").Pool(LANES, remember, part, maxtasksperchild=1) as lanes:
                for outcome in lanes.imap(at_call, range(1, calls + 1, step)):
                    counts["calls"] += 1
                    if outcome:
                        counts[outcome] += 1
            shutil.rmtree(state.folder)
            state = after
            report(f"{min(stretch + STRETCH, operations)} operations", **counts)
    return {"fault": fault, "operations": operations, **counts}


def count_calls(program, root, state, stretch):
    """Runs a stretch undisturbed. Answers how many disk calls it makes, its start and its end included, and what it leaves."""
    folder = root / f"state-{stretch + STRETCH}"
    agent = copied(program, state, folder)
    trace = root / "trace"
    tracer = Tracer(agent, ["-o", str(trace)], stretch == 0)
    script = copy.deepcopy(state.script)
    client = Client(agent)
    for _ in range(STRETCH):
        operation = script.next()
        operation.attempt(client)
        operation.apply(script)
    found = difference(client, script.model)
    assert not found, f"undisturbed, after {stretch + STRETCH}: {found}"
    agent.stop()
    tracer.end()
    with open(trace) as lines:
        calls = sum(1 for line in lines if "resumed" not in line and any(f" {call}(" in line for call in DISK_CALLS.split(",")))
    return calls, State(folder, script)


def copied(program, state, folder):
    shutil.copytree(state.folder, folder)
    return Agent(program, folder)


def remember(*stretch):
    """In a process of the pool: what its fault is part of."""
    global OF_STRETCH
    OF_STRETCH = stretch


def at_call(call):
    program, root, state, stretch, fault = OF_STRETCH
    folder = root / f"{fault}-{stretch}-{call}"
    where = f"{fault} at call {call} of operations {stretch + 1} to {stretch + STRETCH}"
    try:
        return one_fault(program, folder, state, stretch, fault, call)
    except Exception as error:
        kept = pathlib.Path(tempfile.mkdtemp(prefix="torture-"))
        shutil.copytree(folder, kept / "folder")
        raise AssertionError(f"{where}: {error} (kept in {kept})") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def one_fault(program, folder, state, stretch, fault, call):
    agent, script = copied(program, state, folder), state.script
    outcome, pending = None, None
    inject = f"inject={DISK_CALLS}:{FAULTS[fault]}:when={call}"
    try:
        # With -D it is the program that is waited for when it is killed, not what traces it.
        detached = ["-D"] if stretch == 0 else []
        Tracer(agent, [*detached, "-o", "/dev/null", "-e", inject], stretch == 0)
        client = Client(agent)
        for _ in range(STRETCH):
            pending = script.next()
            for attempt in itertools.count(1):
                try:
                    pending.attempt(client)
                    break
                except Gone:
                    outcome = "refusals"
                    # What was refused once may be taken later, until the process has ended.
                    if not agent.is_running() or attempt == 200:
                        raise
            pending.apply(script)
            pending = None
        agent.stop()
        outcome = outcome or "ends before the call"
    except Refused:
        outcome = "at the start"
    except Gone:
        pass
    agent.kill()

    agent.start()
    client = Client(agent)
    if pending is not None and pending.is_atomic:
        # Wholly there, or not at all.
        found = difference(client, script.model)
        if found:
            with_it = copy.deepcopy(script)
            pending.apply(with_it)
            also = difference(client, with_it.model)
            assert not also, f"neither without ({found}) nor with ({also}) what was not answered"
    if pending is not None:
        pending.attempt(client)
        pending.apply(script)
    found = difference(client, script.model)
    assert not found, found
    agent.stop()
    problem = agent.verify()
    assert not problem, problem
    return outcome
