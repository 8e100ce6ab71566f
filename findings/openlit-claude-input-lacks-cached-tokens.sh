#!/usr/bin/env bash
# Package:  openlit 1.45.0 from PyPI (openai 2.54.0, anthropic 0.125.0, opentelemetry-sdk 1.45.1)
# Expected: gen_ai.usage.input_tokens means one thing in one library's spans. By OpenTelemetry's conventions it includes what was cached.
# Seen:     of OpenAI it includes cached tokens, of Anthropic it does not, each as the provider says it. Of the same prompt, 1,000 tokens of
#           which 800 came from a cache, one span says 1000 and one 200. Taking the cached ones off for the price of the rest is right for
#           the first and makes -600 of the second; a sum over providers lacks most of what Claude read.
# Output:   what each span says of a prompt of 1,000 tokens
# Here:     the row for OpenLIT says which of its inputs lack the cached part; src/formats/otlp/tests.rs::counts_are_brought_to_one_meaning,
#           tests/senders/test_roads.py::test_each_paid_call_is_charged_once_at_its_true_price
set -euo pipefail
expected='openai: input 1000, of that cached 800
anthropic: input 200, of that cached 800'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check openlit==1.45.0 openai==2.54.0 anthropic==0.125.0 \
  opentelemetry-sdk==1.45.1 opentelemetry-instrumentation==0.66b1
cat >"$folder/try.py" <<'END'
import json, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

OPENAI = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-2024-08-06",
          "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
          "usage": {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050, "prompt_tokens_details": {"cached_tokens": 800}}}
ANTHROPIC = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929", "stop_sequence": None,
             "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn",
             "usage": {"input_tokens": 200, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 800, "output_tokens": 50}}

class Providers(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps(ANTHROPIC if self.path.endswith("/messages") else OPENAI).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass

server = HTTPServer(("127.0.0.1", 0), Providers)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_address[1]}"

import anthropic, openai, openlit
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
# A price table of its own: without one OpenLIT fetches one over the network.
with open("prices.json", "w") as file:
    file.write('{"chat": {}}')
openlit.init(pricing_json="prices.json", disable_metrics=True, disable_events=True)
asked = {"max_tokens": 100, "messages": [{"role": "user", "content": "q"}]}
openai.OpenAI(base_url=f"{address}/v1", api_key="none").chat.completions.create(model="gpt-4o", **asked)
anthropic.Anthropic(base_url=address, api_key="none").messages.create(model="claude-sonnet-4-5", **asked)
for of in (span.attributes for span in spans.get_finished_spans() if "gen_ai.provider.name" in span.attributes):
    print(f"{of['gen_ai.provider.name']}: input {of['gen_ai.usage.input_tokens']}, of that cached {of['gen_ai.usage.cache_read.input_tokens']}")
END
seen=$(cd "$folder" && env/bin/python try.py 2>/dev/null)
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
