"""An example worker: reserves, works, and settles with what the work really cost. Standard library only."""

import json
import os
import random
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid

AGENT = os.environ.get("AGENT_URL", "http://localhost:8000")
PAUSE_SECONDS = float(os.environ.get("PAUSE_SECONDS", "1"))
# Set by SIGTERM. Waiting on it instead of sleeping ends every pause at once.
STOPPING = threading.Event()


def post(path, body):
    """Posts until there is an answer that is not 503. Sending the same id again never counts twice."""
    request = urllib.request.Request(AGENT + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    wait_seconds = 0.5
    while True:
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code != 503:
                return error.code, json.load(error)
        except OSError:
            pass
        # Even while stopping, what was paid must be recorded. The agent is still up: it stops after this process.
        time.sleep(wait_seconds)
        wait_seconds = min(wait_seconds * 2, 30)


def work():
    """One piece of work. The call to the paid service would stand where the random number is."""
    status, held = post("/reservations", {
        "id": str(uuid.uuid4()), "service": "openai", "operation": "chat", "estimated_cost_usd": "0.05", "ttl_seconds": 120,
        "worker": "example-worker",
    })
    if status == 409:
        print("not now:", held["detail"])
        STOPPING.wait(30)
        return
    if status not in (200, 201):
        sys.exit(f"refused for good: {held}")
    cost_usd = f"{random.uniform(0.001, 0.04):.6f}"
    status, settled = post(f"/reservations/{held['reservation_id']}/commit", {"amount_usd": cost_usd, "model": "gpt-4o"})
    if status != 200:
        sys.exit(f"not recorded: {settled}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: STOPPING.set())
    # Finish and record the current work first.
    while not STOPPING.is_set():
        work()
        STOPPING.wait(PAUSE_SECONDS)
