#!/usr/bin/env bash
# Package:  litellm 1.110.2 from PyPI, callback `otel` (opentelemetry-sdk 1.45.2)
# Expected: the attributes gen_ai.cost.* of a span beside the total are its parts: input, output, cache reads, reasoning add up to it.
# Seen:     they overlap. The cost of cache reads is in that of the input already, that of reasoning in that of the output. A dashboard that
#           stacks them shows 0.0032 USD for a call that cost 0.002. With the counts nobody can check it: no attribute says how many tokens were
#           cached, and 1,000 tokens at the full price would be 0.003.
# Output:   the total and its parts for 1,000 tokens in, of which 800 were cached, and 50 out, of which 20 were reasoning; the counts
# Here:     only the total is charged, never a part, and cached tokens are read from the text `metadata.usage_object`;
#           tests/senders/test_once.py::test_each_callback_of_litellm_alone_tells_the_whole_bill
set -euo pipefail
expected='total 0.002, parts 0.0032: input 0.0015, output 0.0005, cache_read 0.001, reasoning 0.0002
gen_ai.usage.input_tokens 1000, gen_ai.usage.output_tokens 50, gen_ai.usage.total_tokens 1050'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check litellm==1.110.2 opentelemetry-sdk==1.45.2 opentelemetry-exporter-otlp-proto-http==1.45.2
cat >"$folder/try.py" <<'END'
import asyncio, json, os, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

ANSWER = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-2024-08-06",
          "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
          "usage": {"prompt_tokens": 1000, "prompt_tokens_details": {"cached_tokens": 800},
                    "completion_tokens": 50, "completion_tokens_details": {"reasoning_tokens": 20}, "total_tokens": 1050}}

class OpenAI(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass

server = HTTPServer(("127.0.0.1", 0), OpenAI)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
import litellm

async def main():
    litellm.callbacks = ["otel"]
    await litellm.acompletion(model="openai/gpt-4o", api_base=f"http://127.0.0.1:{server.server_address[1]}", api_key="none",
                              messages=[{"role": "user", "content": "q"}])
    await asyncio.sleep(1)  # callbacks run beside the call

asyncio.run(main())
(told,) = [span.attributes for span in spans.get_finished_spans() if span.name == "litellm_request"]
parts = {part: told[f"gen_ai.cost.{part}_cost"] for part in ("input", "output", "cache_read", "reasoning")}
listed = ", ".join(f"{part} {cost}" for part, cost in parts.items())
print(f"total {told['gen_ai.cost.total_cost']}, parts {round(sum(parts.values()), 9)}: {listed}")
print(", ".join(f"{name} {told[name]}" for name in sorted(told) if name.startswith("gen_ai.usage.")))
END
seen=$("$folder/env/bin/python" "$folder/try.py" 2>/dev/null)
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
