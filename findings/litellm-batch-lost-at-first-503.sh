#!/usr/bin/env bash
# Package:  litellm 1.110.2 from PyPI
# Expected: a batch of cost records that is answered 503 with Retry-After is sent again.
# Seen:     the generic logger makes no second try unless it is made with `max_retries`, which is 0 by default and which
#           `callbacks: ["generic_api"]` does not set. The queue is emptied all the same: up to 512 calls are lost.
# Output:   tries, and what is left in the queue; then the same with max_retries=2
# Here:     docs/recording.md sets max_retries; tests/senders/test_roads.py::test_a_busy_agent_is_asked_again
set -euo pipefail
expected='default: 1 try, 0 left in the queue
max_retries=2: 2 tries, 0 left in the queue'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check litellm==1.110.2
cat >"$folder/try.py" <<'END'
import asyncio, os, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

tries = []
class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        tries.append(503 if not tries else 200)
        self.send_response(tries[-1])
        self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): pass

receiver = HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=receiver.serve_forever, daemon=True).start()
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm
from litellm.integrations.generic_api.generic_api_callback import GenericAPILogger

async def main():
    for name, more in (("default", {}), ("max_retries=2", {"max_retries": 2})):
        tries.clear()
        logger = GenericAPILogger(endpoint=f"http://127.0.0.1:{receiver.server_address[1]}/", **more)
        logger.log_queue.append({"id": "1", "response_cost": 0.002})
        await logger.flush_queue()
        print(f"{name}: {len(tries)} {'try' if len(tries) == 1 else 'tries'}, {len(logger.log_queue)} left in the queue")

asyncio.run(main())
END
seen=$("$folder/env/bin/python" "$folder/try.py" 2>/dev/null)
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
