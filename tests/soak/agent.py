"""The program under test: started, killed, started again on the same port and ledger, measured from outside."""

import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

from . import names, traces, wire

# Nothing of these ever refuses; they are there to be counted. Some hold for every key of a name by itself.
LIMIT = 'limit_usd = "1000000000000"'
BUDGETS = f"""
[[budget]]
name = "all"
period = "total"
{LIMIT}

[[budget]]
name = "one-service"
service = "{names.SERVICES[0]}"
period = "daily"
{LIMIT}

[[budget]]
name = "workers"
each = "worker"
period = "monthly"
{LIMIT}

[[budget]]
name = "leads"
each = "lead"
period = "daily"
{LIMIT}

[[budget]]
name = "batches"
each = "batch"
match = {{ model = "model-*" }}
period = "hourly"
{LIMIT}

[[budget]]
name = "input-tokens"
period = "total"
limit_usage = {{ input_tokens = 9_000_000_000_000 }}
"""
READY_SECONDS_MAX = 60.0
ASK_AGAIN_SECONDS = 0.002
STOP_SECONDS_MAX = 10.0
PORT_LEAST = 10_000
LOG_LINES_SHOWN = 10


class Failed(Exception):
    """The program does not do what nothing can go on without."""


class Agent:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.ledger = folder / "ledger.db"
        self._log = folder / "agent.log"
        self.port = quiet_port()
        self._process = None
        # Of all processes so far.
        self.cpu_seconds = self._waited_before = 0.0
        # when killed, when ready again
        self.restarts = []
        settings = folder / "agent.toml"
        settings.write_text(BUDGETS + traces.PRICES)
        self._environment = {
            "METRICS_HOST": "127.0.0.1",
            "METRICS_PORT": str(self.port),
            "DB_PATH": str(self.ledger),
            "CONFIG_FILE": str(settings),
            "DAILY_BUDGET": "none",
            "MONTHLY_BUDGET": "none",
            "LOG_LEVEL": "WARNING",
            "LOG_FORMAT": "json",
        }

    def start(self):
        """Returns when it is ready, and how long that took."""
        began = time.monotonic()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self.program, "serve"], env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder
            )
        while not self._is_ready():
            if self._process.poll() is not None:
                raise Failed(f"it ended by itself with {self._process.returncode}: {self.log_end()}")
            if time.monotonic() - began > READY_SECONDS_MAX:
                raise Failed(f"not ready within {READY_SECONDS_MAX:g} s: {self.log_end()}")
            time.sleep(ASK_AGAIN_SECONDS)
        return time.monotonic() - began

    def kill_and_restart(self):
        self._must_live()
        self._count_cpu()
        killed_at = time.monotonic()
        self._process.kill()
        self._process.wait()
        self.start()
        self.restarts.append((killed_at, time.monotonic()))

    def stop(self):
        """As an operator would; the exit code, and how long it took."""
        self._must_live()
        self._count_cpu()
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            raise Failed(f"not stopped within {STOP_SECONDS_MAX:g} s") from None
        return code, time.monotonic() - began

    def end(self):
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def rss_mib(self):
        self._must_live()
        with open(f"/proc/{self._process.pid}/status") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS:"))

    def run(self, *arguments, seconds_max):
        return subprocess.run(
            [self.program, *arguments], env=self._environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds_max
        )

    def log_lines(self):
        return [line for line in self._log.read_text(errors="replace").splitlines() if line.strip()]

    def log_end(self):
        return "\n".join(self.log_lines()[-LOG_LINES_SHOWN:])

    def _must_live(self):
        if self._process.poll() is not None:
            raise Failed(f"it ended by itself with {self._process.returncode}: {self.log_end()}")

    def _count_cpu(self):
        with open(f"/proc/{self._process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        self.cpu_seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        self._waited_before += self._waiting_seconds()

    def waited_seconds(self):
        """How long its threads could have run while others did, in all."""
        return self._waited_before + self._waiting_seconds()

    def _waiting_seconds(self):
        waited_ns = 0
        for thread in Path(f"/proc/{self._process.pid}").glob("task/*/schedstat"):
            try:
                waited_ns += int(thread.read_text().split()[1])
            except OSError:
                # The thread ended just now.
                pass
        return waited_ns / 1e9

    def _is_ready(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=READY_SECONDS_MAX) as connection:
                connection.sendall(wire.get("/-/ready"))
                return connection.recv(4096).startswith(b"HTTP/1.1 200 ")
        except OSError:
            return False


def quiet_port():
    """A free port from which no connection ever starts: one that tries to reach a port of that range while nobody listens there can
    reach itself, and then holds the port."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as bounds:
        below = int(bounds.read().split()[0])
    candidates = range(PORT_LEAST, below) or range(1024, below)
    for port in random.sample(candidates, min(len(candidates), 100)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Failed("no free port")
