#!/usr/bin/env bash
# Package:  litellm 1.110.2 from PyPI
# Expected: `litellm.callbacks = ["generic_api"]`, as its documentation says, posts each call to GENERIC_LOGGER_ENDPOINT, or fails.
# Seen:     without the package litellm-enterprise the name stands for an empty callback: accepted, no warning, and nothing is ever posted.
#           Whoever counts cost with it counts nothing. The class itself is in litellm and works.
# Output:   the class that stands behind the name, how many calls were posted by it, and how many by the class itself
# Here:     docs/recording.md makes the logger from its class; tests/senders/test_roads.py::test_each_paid_call_is_charged_once_at_its_true_price
set -euo pipefail
expected='CustomLogger
by name: 0 posted
by class: 1 posted'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check litellm==1.110.2
cat >"$folder/try.py" <<'END'
import asyncio, os, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

posted = []
class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        posted.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): pass

receiver = HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=receiver.serve_forever, daemon=True).start()
os.environ["GENERIC_LOGGER_ENDPOINT"] = f"http://127.0.0.1:{receiver.server_address[1]}/"
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm
from litellm.litellm_core_utils import litellm_logging

async def call(callback):
    litellm.callbacks = [callback()]
    # Answered by LiteLLM itself: no provider is asked.
    await litellm.acompletion(model="openai/gpt-4o", messages=[{"role": "user", "content": "q"}], mock_response="hi")
    await asyncio.sleep(1)
    loggers = [logger for logger in (*litellm_logging._in_memory_loggers, *litellm.callbacks) if not isinstance(logger, str)]
    for logger in loggers:
        if hasattr(logger, "flush_queue"):
            await logger.flush_queue()
    await asyncio.sleep(0.5)
    return loggers

async def main():
    def by_class():
        from litellm.integrations.generic_api.generic_api_callback import GenericAPILogger
        return GenericAPILogger()
    loggers = await call(lambda: "generic_api")
    print(type(loggers[0]).__name__)
    print("by name:", len(posted), "posted")
    posted.clear()
    litellm_logging._in_memory_loggers.clear()
    for callbacks in (litellm.success_callback, litellm._async_success_callback, litellm.failure_callback, litellm._async_failure_callback):
        callbacks.clear()
    await call(by_class)
    print("by class:", len(posted), "posted")

asyncio.run(main())
END
seen=$("$folder/env/bin/python" "$folder/try.py" 2>/dev/null)
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
