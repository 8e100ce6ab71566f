"""The program under torture: started, asked, killed, and started again on the same ledger."""

import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import time
from decimal import Decimal

READY_MAX_SECONDS = 60
ANSWER_MAX_SECONDS = 30
STOP_MAX_SECONDS = 30

SETTINGS = """\
daily_budget = "none"
monthly_budget = "none"
scaling_gate_enabled = true

[[budget]]
name = "everything"
period = "total"
limit_usd = 1000000000

[[budget]]
name = "worker"
period = "total"
each = "worker"
limit_usd = 1000000000
"""


class Gone(Exception):
    """There was no answer: nobody knows whether it was done."""


class Refused(Exception):
    """The program ended before it was ready."""


class Agent:
    """One ledger, and the process that has it at the moment."""

    def __init__(self, program, folder, ledger=None):
        self.program, self.folder = str(program), pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ledger = pathlib.Path(ledger) if ledger else self.folder / "ledger.db"
        self.settings = self.folder / "settings.toml"
        if not self.settings.exists():
            self.settings.write_text(SETTINGS)
        self.process, self.address, self.starts = None, None, 0

    def start(self, wrap=()):
        """Starts it, behind such a command if one is given, and waits until it is ready."""
        self.starts += 1
        log = self.folder / "log"
        environment = {
            "PATH": os.environ["PATH"],
            "METRICS_HOST": "127.0.0.1",
            "METRICS_PORT": "0",
            "DB_PATH": str(self.ledger),
            "CONFIG_FILE": str(self.settings),
            "LOG_FORMAT": "json",
        }
        with open(log, "wb") as to:
            command = [*wrap, self.program, "serve"]
            self.process = subprocess.Popen(command, env=environment, stderr=to, stdout=to, start_new_session=True)
        end = time.monotonic() + READY_MAX_SECONDS
        self.address = None
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise Refused(log.read_text(errors="replace")[-2000:])
            found = re.search(r'"address":"([^"]+)"', log.read_text(errors="replace"))
            if found:
                self.address = found.group(1)
                try:
                    if Client(self).ask("GET", "/-/ready")[0] == 200:
                        return self
                except Gone:
                    pass
            time.sleep(0.005)
        raise Refused("it is not ready in time")

    def signal(self, number):
        """To the program itself, whatever it runs behind."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.process is not None:
            self.signal(signal.SIGKILL)
            self.process.wait()

    def stop(self):
        """Ends it in order; answers the exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(STOP_MAX_SECONDS)

    def run(self, *arguments):
        """The program as a command beside the agent."""
        return subprocess.run([self.program, *arguments], capture_output=True, text=True, timeout=600)

    def run_while_running(self, *arguments):
        """The same, as long as the agent runs: its clients try again for longer than a torture has time for."""
        command = subprocess.Popen([self.program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while True:
            try:
                out, error = command.communicate(timeout=0.02)
                return subprocess.CompletedProcess(arguments, command.returncode, out, error)
            except subprocess.TimeoutExpired:
                if not self.is_running():
                    command.kill()
                    command.communicate()
                    raise Gone("the agent ended") from None

    def verify(self):
        """What is wrong with the ledger, if anything is."""
        done = self.run("verify", "--db-path", str(self.ledger))
        return "" if done.returncode == 0 else f"verify: {done.returncode}: {done.stdout[-500:]}{done.stderr[-1500:]}"


class Client:
    """One connection to an agent."""

    def __init__(self, agent):
        self.agent, self.connection, self.address = agent, None, None

    def ask(self, method, path, body=None, content_type="application/json"):
        """Status and body of one answer. An answer that did not come is [`Gone`]."""
        try:
            if self.connection is None or self.address != self.agent.address:
                self.address = self.agent.address
                if self.address is None:
                    raise Gone("not started")
                self.connection = http.client.HTTPConnection(self.address, timeout=ANSWER_MAX_SECONDS)
            headers = {"Content-Type": content_type} if body is not None else {}
            self.connection.request(method, path, body, headers)
            answer = self.connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            if self.connection is not None:
                self.connection.close()
            self.connection = None
            raise Gone(str(error)) from error

    def json(self, path):
        """A read, with numbers as exact decimals."""
        status, body = self.ask("GET", path)
        if status == 503:
            raise Gone(f"{path}: {body.decode()}")
        assert status == 200, f"{path}: {status} {body[:300]!r}"
        return json.loads(body, parse_float=Decimal, parse_int=Decimal)
