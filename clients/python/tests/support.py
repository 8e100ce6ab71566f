"""What the tests stand on: the real agent as a process, peers that are not the agent, workers as processes of their own.

Nothing waits for luck: each wait is for a state, with a deadline.
"""

import atexit
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parent / "src"
sys.path.insert(0, str(SOURCES))
# Nothing of these tests may get to an agent or a spool of the one who runs them.
os.environ["LEAD_FACTORY_METRICS_URL"] = "off"
os.environ.pop("LEAD_FACTORY_METRICS_SPOOL", None)
os.environ.pop("LEAD_FACTORY_METRICS_TOKEN", None)

WAIT_SECONDS = 60.0
# Ports that an agent is started on, one after the other, while each is taken.
PORTS_TRIED_MAX = 5


def program():
    """The agent under test: named by the one who runs this, else the newest build in the checkout."""
    named = os.environ.get("LEAD_FACTORY_METRICS")
    if named:
        return named
    built = [HERE.parents[2] / "target" / profile / "lead-factory-metrics" for profile in ("debug", "release")]
    built = [path for path in built if path.exists()]
    if not built:
        raise RuntimeError("build the agent first: cargo build")
    return str(max(built, key=lambda path: path.stat().st_mtime))


def within(what, condition, seconds=WAIT_SECONDS):
    """Waits until the condition gives something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def dead_url():
    """An address at which nobody answers, whatever else runs meanwhile: its port stays taken, and nobody listens on it."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    atexit.register(taken.close)
    return "http://127.0.0.1:%d" % taken.getsockname()[1]


class Agent:
    """The real program, on a port of its own, with a ledger that outlives it."""

    def __init__(self, folder, port=None, **settings):
        self.folder, self.settings = Path(folder), settings
        self.process = None
        self.start(port)

    def start(self, port=None):
        for attempts_left in reversed(range(PORTS_TRIED_MAX)):
            self._launch(port or free_port())
            ended = within("the agent is ready or has ended", lambda: "ready" if self._is_ready() else self._why_it_ended())
            if ended == "ready":
                return self
            # Somebody else was quicker to take what was free a moment ago.
            if port or not attempts_left or "Address already in use" not in ended:
                raise AssertionError(ended)

    def _launch(self, port):
        self.port, self.url = port, f"http://127.0.0.1:{port}"
        ours = {key: value for key, value in os.environ.items() if not key.startswith("LEAD_FACTORY_METRICS")}
        environment = {
            **ours,
            "METRICS_HOST": "127.0.0.1",
            "METRICS_PORT": str(self.port),
            "DB_PATH": str(self.folder / "ledger.db"),
            **self.settings,
        }
        with open(self.folder / "agent.log", "ab") as log:
            self._log_begins_at = log.tell()
            self.process = subprocess.Popen([program(), "serve"], env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def _is_ready(self):
        try:
            return self.process.poll() is None and self.get("/-/ready")[0] == 200
        except OSError:
            return False

    def _why_it_ended(self):
        if self.process.poll() is None:
            return None
        return (self.folder / "agent.log").read_bytes()[self._log_begins_at :].decode() or "it said nothing"

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null", parse_float=Decimal)
        except json.JSONDecodeError:
            return answer.status, None
        finally:
            connection.close()

    def total(self, **filters):
        """What the ledger holds in all, exactly."""
        query = "".join(f"&{key}={value}" for key, value in filters.items())
        status, by_service = self.get(f"/costs?from=2026-01-01{query}".replace("2026-01-01", time.strftime("%Y-01-01")))
        assert status == 200, by_service
        return sum((Decimal(value) for value in by_service.values()), Decimal(0))

    def events(self, **filters):
        query = "&".join(f"{key}={value}" for key, value in {"limit": 1000, **filters}.items())
        status, page = self.get(f"/events?{query}")
        assert status == 200, page
        return page["events"]

    def held(self):
        return self.get("/reservations?state=held")[1]

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def stop(self):
        """As an operator would."""
        self.process.terminate()
        self.process.wait()


class Peer:
    """Something on a port that is not the agent: it gives every request the same bytes, or hangs."""

    def __init__(self, answer=b"", hang=False):
        self.answer, self.hang = answer, hang
        self.requests = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            connection.settimeout(WAIT_SECONDS)
            received = b""
            try:
                while b"\r\n\r\n" not in received:
                    more = connection.recv(65536)
                    if not more:
                        return
                    received += more
                head, _, body = received.partition(b"\r\n\r\n")
                size = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
                while len(body) < size:
                    body += connection.recv(65536)
                self.requests.append((head.decode(), body.decode()))
                if self.hang:
                    connection.recv(1)
                elif callable(self.answer):
                    self.answer(connection)
                else:
                    connection.sendall(self.answer)
            except (OSError, StopIteration):
                pass

    def close(self):
        self._listener.close()


def http_answer(status, body, content_type="text/html", **headers):
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n"
    return head.encode() + body.encode()


class Case(unittest.TestCase):
    """A test with a folder, agents and workers that end with it."""

    maxDiff = None

    def setUp(self):
        from lead_factory_metrics import log

        log._budgets.clear()  # Each test may see as many messages as a process may.
        folder = tempfile.TemporaryDirectory(prefix="lead-factory-client-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.spool = self.folder / "spool"

    def agent(self, name="agent", **settings):
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        settings = {"DAILY_BUDGET": "none", "MONTHLY_BUDGET": "none", **settings}
        agent = Agent(folder, **settings)
        self.addCleanup(agent.kill)
        return agent

    def peer(self, *args, **kwargs):
        peer = Peer(*args, **kwargs)
        self.addCleanup(peer.close)
        return peer

    def client(self, agent=None, url=None, **more):
        from lead_factory_metrics import Client

        more.setdefault("spool", str(self.spool))
        client = Client(url or (agent.url if agent else dead_url()), **more)
        # A test that leaves a hung peer behind must not hold up the end of the run.
        self.addCleanup(client.close, 0)
        return client

    def environment(self, url, **more):
        ours = {"LEAD_FACTORY_METRICS_URL": url, "LEAD_FACTORY_METRICS_SPOOL": str(self.spool), "PYTHONPATH": str(SOURCES)}
        return {**os.environ, **ours, "PYTHONDEVMODE": "1", "PYTHONWARNINGS": "ignore::DeprecationWarning", **more}

    def worker(self, code, url, wait=True, **environment):
        """A worker as a process of its own. `wait`: it has to end well, and its output is returned."""
        lines = ["from lead_factory_metrics import *", "import lead_factory_metrics, os, sys, time", textwrap.dedent(code)]
        worker = subprocess.Popen(
            [sys.executable, "-c", "\n".join(lines)],
            env=self.environment(url, **environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

        def end():
            if worker.poll() is None:
                worker.kill()
            worker.communicate()

        if not wait:
            self.addCleanup(end)
            return worker
        try:
            said, complained = worker.communicate(timeout=2 * WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            worker.kill()
            self.fail(f"the worker does not end: {worker.communicate()}")
        self.assertEqual(worker.returncode, 0, complained)
        self.assertNotIn("Traceback", complained)
        self.assertNotIn("Exception ignored", complained)
        return said

    def spooled(self):
        """The events that wait on disk."""
        found = []
        for file in sorted(self.spool.glob("*.jsonl")) if self.spool.exists() else []:
            for line in file.read_text().splitlines():
                found.append(json.loads(line))
        return found

    def assert_spool_empties(self):
        within("the spool is empty", lambda: not list(self.spool.glob("*")) if self.spool.exists() else True)

    def assert_logged(self, logs, *words):
        text = "\n".join(logs.output)
        for word in words:
            self.assertIn(word, text)


__all__ = [name for name in dir() if not name.startswith("_")]
_ = signal
