"""Who runs when: the program, a process for each kind of load, and here the one that kills, samples, and collects."""

import multiprocessing
import os
import random
import signal
import socket
import time
from collections import namedtuple

from . import disk, wire
from .agent import Agent, Failed
from .batches import Batches
from .check import Check
from .holds import Holds
from .lane import FINISH_SECONDS_MAX, Lane
from .readers import Scrapes, Viewers
from .singles import Singles
from .starter import Starter
from .sums import Sums
from .traces import Traces

SAMPLE_EVERY_SECONDS = 1.0
# No kill so close to the end that nothing comes after it.
KILL_BEFORE_END_SECONDS = 2.0
KILL_LATE_SECONDS_MAX = 0.5
TOLD_TIMES = 30
# Beyond the lanes' own deadline, to hand over what they have.
COLLECT_SECONDS_MAX = FINISH_SECONDS_MAX + 60.0


Sample = namedtuple("Sample", "at rss_mib waited_seconds load")


class Result:
    """All that a soak has found out."""

    def __init__(self):
        self.lanes = {}  # name → stated rate, figures
        self.seconds = 0.0
        self.begin = 0.0
        self.samples = []  # of every second
        self.disk_samples = ()  # when, and how long a write and a sync took
        self.restarts = []
        self.first_start_seconds = self.stop_seconds = 0.0
        self.stop_code = None
        self.agent_cpu_seconds = 0.0
        self.ledger_bytes = 0
        self.sums = Sums()
        self.checks = []
        self.log_lines = []


def sources(options):
    """name → whether it is asked for (a rate above 0), and what makes the source of that load in its own process."""
    seed = options.seed
    return {
        "batches": (options.batch_events_per_second, lambda: Batches(seed, options.batch_events_per_second, options.batch_events)),
        "singles": (options.singles_per_second, lambda: Singles(seed, options.singles_per_second, options.single_connections)),
        "reservations": (options.reservations_per_second, lambda: Holds(seed, options.reservations_per_second)),
        "traces": (options.traces_per_second, lambda: Traces(seed, options.traces_per_second)),
        "viewers": (options.viewers, lambda: Viewers(options.viewers)),
        "scrapes": (options.scrapes_per_second, lambda: Scrapes(options.scrapes_per_second)),
    }


def soak(options, folder, tell):
    """Runs it all; `tell` takes lines for whoever waits."""
    result, agent = Result(), Agent(options.program.resolve(), folder)
    lanes = {}
    try:
        result.first_start_seconds = agent.start()
        result.seconds = options.minutes * 60
        starter = Starter()
        lanes = make_lanes(options, agent.port, starter, result.seconds)
        result.begin = starter.begin(len(lanes))
        probe = begin_probe(folder, result.begin + result.seconds)
        watch(options, agent, lanes, result, tell)
        tell("the load has ended; waiting for the last answers")
        hold_states = collect(lanes, result)
        result.disk_samples = probe.recv() if probe.poll(COLLECT_SECONDS_MAX) else ()
        if options.spoil:
            spoil(agent)
        tell("comparing with the model")
        check = Check(agent, result.sums, hold_states, options.seed)
        check.all()
        result.ledger_bytes = sum(path.stat().st_size for path in folder.glob("ledger.db*"))
        result.stop_code, result.stop_seconds = agent.stop()
        check.verify()
        result.checks = check.results
    finally:
        for process, *_ in lanes.values():
            process.kill()
        agent.end()
    result.restarts, result.log_lines = agent.restarts, agent.log_lines()
    result.agent_cpu_seconds = agent.cpu_seconds
    return result


def begin_probe(folder, end):
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    fork.Process(target=run_probe, args=(folder, end, sender), daemon=True, name="disk").start()
    sender.close()
    return receiver


def make_lanes(options, port, starter, seconds):
    fork = multiprocessing.get_context("fork")
    lanes = {}
    for name, (wanted, make) in sources(options).items():
        if not wanted:
            continue
        receiver, sender = fork.Pipe(duplex=False)
        # drawn, answered
        progress = fork.RawArray("d", 2)
        process = fork.Process(target=run_lane, args=(port, make, starter, seconds, progress, sender), daemon=True, name=name)
        process.start()
        sender.close()
        lanes[name] = (process, receiver, progress)
    return lanes


def leave_signals_to_the_parent():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def run_probe(folder, end, sender):
    leave_signals_to_the_parent()
    sender.send(disk.probe(folder, end))


def run_lane(port, make, starter, seconds, progress, sender):
    leave_signals_to_the_parent()
    source = make()
    begin = starter.wait()
    figures = Lane(port, source, begin, begin + seconds, progress).run()
    figures.known = getattr(source, "known", 0)
    sender.send((source.per_second, figures, source.sums(), getattr(source, "states", {})))


def watch(options, agent, lanes, result, tell):
    """Until the load ends: kills when it is time, and samples every second."""
    end = result.begin + result.seconds
    tell_every = max(result.seconds / TOLD_TIMES, 1.0)
    rng = random.Random(f"kills/{options.seed}")
    kill_at = next_kill(options, result.begin, end, rng)
    samples, told = 0, 1
    while True:
        now = time.monotonic()
        if now >= end:
            return
        if now >= kill_at:
            agent.kill_and_restart()
            kill_at = next_kill(options, result.begin + len(agent.restarts) * options.kill_every, end, rng)
            continue
        if now >= result.begin + samples * SAMPLE_EVERY_SECONDS:
            samples = int((now - result.begin) / SAMPLE_EVERY_SECONDS) + 1
            result.samples.append(Sample(now, agent.rss_mib(), agent.waited_seconds(), os.getloadavg()[0]))
            ended = [name for name, (process, *_) in lanes.items() if process.exitcode]
            if ended:
                raise Failed(f"{', '.join(ended)}: that process has ended, with the reason above")
        if now >= result.begin + told * tell_every:
            told += 1
            answers = ", ".join(f"{name} {int(progress[1]):,}" for name, (_, _, progress) in lanes.items())
            sample = result.samples[-1]
            tell(f"{now - result.begin:6.0f} s  {sample.rss_mib:5.1f} MiB  load {sample.load:4.1f}  answered: {answers}")
        time.sleep(max(0.0, min(result.begin + samples * SAMPLE_EVERY_SECONDS, kill_at, end) - time.monotonic()))


def next_kill(options, after, end, rng):
    """When, or the end where there is none. A little late by chance: the load has a beat, and a kill must not always fall on the same."""
    at = after + options.kill_every + rng.random() * KILL_LATE_SECONDS_MAX
    return at if options.kill_every and at < end - KILL_BEFORE_END_SECONDS else end


def collect(lanes, result):
    """Takes over what the lanes found out; returns the states of reservations."""
    deadline, states = time.monotonic() + COLLECT_SECONDS_MAX, {}
    for name, (process, receiver, _) in lanes.items():
        if not receiver.poll(max(0.0, deadline - time.monotonic())):
            raise Failed(f"{name}: no figures within {COLLECT_SECONDS_MAX:g} s")
        try:
            per_second, figures, sums, of_holds = receiver.recv()
        except EOFError:
            raise Failed(f"{name}: that process has ended, with the reason above") from None
        process.join()
        result.lanes[name] = (per_second, figures)
        result.sums.merge(sums)
        states.update(of_holds)
    return states


def spoil(agent):
    body = b'{"service":"crawler","operation":"read","amount_usd":"1e-6","id":"nobody-knows-this"}'
    with socket.create_connection(("127.0.0.1", agent.port)) as connection:
        connection.sendall(wire.post("/costs", body))
        if not connection.recv(4096).startswith(b"HTTP/1.1 200 "):
            raise Failed("could not spoil it")
