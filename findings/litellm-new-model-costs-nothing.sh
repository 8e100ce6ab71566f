#!/usr/bin/env bash
# Package:  litellm 1.110.2 from PyPI
# Expected: a call whose model has no price has no cost, and the record says so: `response_cost_failure_debug_info` is there for that.
# Seen:     a name that no table has but that looks like a family's next member has a price of 0, and nothing failed: on the day on which a
#           new Claude or GPT comes out, every call of it is a success that cost 0.0, and no check for failed prices sees it. A name that looks
#           like nothing costs 0.0 as well, but there the record says why.
# Output:   for each model: the cost that the log's record has, its status, and whether it says that there is no price
# Here:     a cost of 0 beside tokens is none, unless a cache answered: the price book is asked, else the call is told as unpriced;
#           src/api/tests/ingest.rs::a_first_cost_of_zero_beside_counts_is_no_cost
#           tests/senders/test_roads.py::test_each_paid_call_is_charged_once_at_its_true_price
set -euo pipefail
expected='claude-sonnet-4-5: 0.00375, success
claude-sonnet-4-9: 0.0, success
gpt-9: 0.0, success
claude-9: 0.0, success, no price: ModelNotMappedError'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check litellm==1.110.2
cat >"$folder/try.py" <<'END'
import asyncio, json, os, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

class Providers(BaseHTTPRequestHandler):
    def do_POST(self):
        answer = {"id": "1", "model": json.loads(self.rfile.read(int(self.headers["Content-Length"])))["model"]}
        if self.path.endswith("/messages"):
            answer |= {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn",
                       "stop_sequence": None, "usage": {"input_tokens": 1000, "output_tokens": 50}}
        else:
            choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
            answer |= {"object": "chat.completion", "created": 1, "choices": [choice],
                       "usage": {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050}}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass

server = HTTPServer(("127.0.0.1", 0), Providers)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm
from litellm.integrations.custom_logger import CustomLogger

class Log(CustomLogger):
    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        record = kwargs["standard_logging_object"]
        told = f"{record['model']}: {record['response_cost']}, {record['status']}"
        if failure := record.get("response_cost_failure_debug_info"):
            told += f", no price: {failure['traceback_str'].rpartition('exceptions.')[2].partition(':')[0]}"
        print(told)

async def main():
    litellm.callbacks = [Log()]
    for model in ("anthropic/claude-sonnet-4-5", "anthropic/claude-sonnet-4-9", "openai/gpt-9", "anthropic/claude-9"):
        await litellm.acompletion(model=model, api_base=f"http://127.0.0.1:{server.server_address[1]}", api_key="none",
                                  messages=[{"role": "user", "content": "q"}])
        await asyncio.sleep(0.5)  # callbacks run beside the call

asyncio.run(main())
END
seen=$("$folder/env/bin/python" "$folder/try.py" 2>/dev/null | grep success || true)
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
