"""The built program as a fixture: its own folder, a free port, and what its ledger says."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from decimal import Decimal

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS_MAX = 30


def program():
    return os.environ.get("LEAD_FACTORY_METRICS") or str(ROOT / "target/release/lead-factory-metrics")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Agent:
    """Running from the start until `close`; `kill` and `start` again are what the tests do in between."""

    def __init__(self, **settings):
        self.folder = tempfile.mkdtemp(prefix="lead-factory-senders-")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = {
            "METRICS_HOST": "127.0.0.1",
            "METRICS_PORT": str(self.port),
            "DB_PATH": f"{self.folder}/ledger.db",
            **settings,
        }
        self.process = None
        self.start()

    def start(self):
        environment = {"PATH": os.environ["PATH"], **self.settings}
        with open(f"{self.folder}/log", "ab") as log:
            self.process = subprocess.Popen([program()], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                return self.get("/-/ready")
            except OSError:
                assert self.process.poll() is None and time.monotonic() < until, self.log()
                time.sleep(0.02)

    def kill(self):
        """As a power cut of the process: no chance to write anything."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self):
        if self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        return pathlib.Path(f"{self.folder}/log").read_text()

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return answer.read()

    def json(self, path):
        return json.loads(self.get(path), parse_float=Decimal)

    def post(self, path, value, **headers):
        """Status and text of the answer."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        headers = {"Content-Type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
        request = urllib.request.Request(self.url + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def events(self):
        page = self.json("/events?limit=1000&order=asc")
        assert page["next"] is None
        return page["events"]

    def metric(self, name, **labels):
        """The sum of a metric's series that have these labels."""
        total = Decimal(0)
        for line in self.get("/metrics").decode().splitlines():
            if line.startswith(name) and line[len(name)] in " {" and all(f'{key}="{value}"' in line for key, value in labels.items()):
                total += Decimal(line.rsplit(" ", 1)[1])
        return total

    def verify(self):
        """What the program itself says about the ledger, once it has ended."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0, self.log()
        checked = subprocess.run(
            [program(), "verify", "--db-path", self.settings["DB_PATH"]], capture_output=True, text=True, timeout=60
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
