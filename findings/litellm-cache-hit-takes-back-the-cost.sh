#!/usr/bin/env bash
# Package:  litellm 1.110.2 from PyPI, callback `openmeter`
# Expected: an event is known by its source and id, as CloudEvents says. Two events of one id are the same event, sent twice.
# Seen:     an answer from LiteLLM's own cache is sent as an event with the source and id of the call that was paid, its tokens, and cost 0.
#           Nothing says that it is a hit. A receiver that keeps the last of two takes back what was paid; one that keeps the first never
#           sees a hit; one that tells its sender of contradictions has one for every hit.
# Output:   the calls that reached the provider, and of each event: source, id, tokens and cost
# Here:     of two events of one call the first cost stays, and 0 beside it is a repeat, no contradiction and no revision;
#           src/api/tests/ingest.rs::what_openmeter_is_told_is_the_same_call, a_first_cost_of_zero_beside_counts_is_no_cost
set -euo pipefail
expected='1 call
litellm-proxy chatcmpl-1: 1050 tokens, 0.003 USD
litellm-proxy chatcmpl-1: 1050 tokens, 0.0 USD'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
# A hit in its cache needs the last three.
"$folder/env/bin/pip" install --quiet --disable-pip-version-check litellm==1.110.2 fastapi==0.165.0 orjson==3.13.0 soundfile==0.14.0
cat >"$folder/try.py" <<'END'
import asyncio, json, os, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

calls, events = [], []
class ProviderAndReceiver(BaseHTTPRequestHandler):
    def do_POST(self):
        asked, answer = json.loads(self.rfile.read(int(self.headers["Content-Length"]))), {}
        if self.path.endswith("/chat/completions"):
            calls.append(asked)
            choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
            answer = {"id": f"chatcmpl-{len(calls)}", "object": "chat.completion", "created": 1, "model": "gpt-4o-2024-08-06", "choices": [choice],
                      "usage": {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050}}
        else:
            events.append(asked)
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass

server = ThreadingHTTPServer(("127.0.0.1", 0), ProviderAndReceiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_address[1]}"
os.environ.update(LITELLM_LOCAL_MODEL_COST_MAP="True", OPENMETER_API_ENDPOINT=address, OPENMETER_API_KEY="none")
import litellm

async def main():
    litellm.callbacks, litellm.cache = ["openmeter"], litellm.Cache()
    for _ in range(2):
        await litellm.acompletion(model="openai/gpt-4o", api_base=address, api_key="none", messages=[{"role": "user", "content": "q"}],
                                  user="team-1", caching=True)
        await asyncio.sleep(1)  # callbacks run beside the call

asyncio.run(main())
print(f"{len(calls)} {'call' if len(calls) == 1 else 'calls'}")
for event in events:
    print(f"{event['source']} {event['id']}: {event['data']['total_tokens']} tokens, {event['data']['cost']} USD")
END
seen=$("$folder/env/bin/python" "$folder/try.py" 2>/dev/null)
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
