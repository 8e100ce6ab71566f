"""Little memory: a control group whose limit is drawn tight while several workers record, reserve and settle.

Needs root and control groups: of version 1, with which it was run, or of version 2, as the kernel documents them. The kernel kills the program when
it asks for more, at whatever it was doing, or the program goes on with what it has; then it must answer soon once there is room again.
"""

import contextlib
import pathlib
import random
import tempfile
import time

from agent import Agent, Client
from kills import under_faults

WORKERS = 6
SQUEEZE_AFTER_SECONDS = (0.0, 0.35)
# What is left beyond what the program has: enough, or not, for the next batch.
SPARE_BYTES_MAX = 8 * 1024 * 1024
TIGHT_SECONDS = 0.5
ANSWER_MAX_SECONDS = 10
ROOTS = {1: pathlib.Path("/sys/fs/cgroup/memory"), 2: pathlib.Path("/sys/fs/cgroup")}


class Group:
    """A control group for memory."""

    def __init__(self, name):
        self.version = 1 if ROOTS[1].is_dir() else 2
        self.path = ROOTS[self.version] / name
        self.path.mkdir()
        self.limit = self.path / {1: "memory.limit_in_bytes", 2: "memory.max"}[self.version]
        assert self.limit.exists(), f"{self.path} has no limit of memory"

    def enter(self):
        """What a command begins with to be in the group."""
        return ["sh", "-c", f'echo $$ > {self.path}/cgroup.procs && exec "$@"', "sh"]

    def anonymous_bytes(self):
        """What the kernel cannot take away."""
        name = {1: "rss", 2: "anon"}[self.version]
        return next(int(line.split()[1]) for line in (self.path / "memory.stat").read_text().splitlines() if line.startswith(name + " "))

    def squeeze(self, spare_bytes):
        """Leaves so much beyond what is in use, or a little more where that cannot be."""
        while True:
            try:
                self.limit.write_text(str(self.anonymous_bytes() + spare_bytes))
                return
            except OSError:
                spare_bytes += 128 * 1024

    def relax(self):
        self.limit.write_text({1: "-1", 2: "max"}[self.version])

    def remove(self):
        for _ in range(100):
            with contextlib.suppress(OSError):
                self.path.rmdir()
                return
            time.sleep(0.02)
        raise AssertionError(f"{self.path} stays")


class Confined(Agent):
    """An agent in a group."""

    def __init__(self, program, folder, group):
        super().__init__(program, folder)
        self.group = group

    def start(self, wrap=()):
        return super().start([*self.group.enter(), *wrap])


def squeezes(program, count, seed, report, folder=None):
    """So many times with too little memory under load."""
    chance = random.Random(seed)
    counts = {"killed by the kernel": 0, "went on": 0}
    with tempfile.TemporaryDirectory(dir=folder) as folder:
        group = Group(f"torture-{pathlib.Path(folder).name}")
        agent = Confined(program, folder, group)

        def squeeze():
            group.squeeze(chance.randrange(SPARE_BYTES_MAX))
            end = time.monotonic() + TIGHT_SECONDS
            while agent.is_running() and time.monotonic() < end:
                time.sleep(0.005)
            group.relax()
            if agent.is_running():
                begin = time.monotonic()
                assert Client(agent).ask("GET", "/-/ready")[0] == 200
                assert time.monotonic() - begin < ANSWER_MAX_SECONDS, "it is slow although there is memory again"
            counts["went on" if agent.is_running() else "killed by the kernel"] += 1

        try:
            done = under_faults(agent, WORKERS, count, seed, SQUEEZE_AFTER_SECONDS, squeeze, "squeezes", report)
        finally:
            agent.kill()
            group.remove()
        return {"squeezes": count, **counts, **done}
