#!/usr/bin/env bash
# Package:  opentelemetry-instrumentation-anthropic 0.62.4 (OpenLLMetry) with anthropic 2.14.0, from PyPI
# Expected: the span of a streamed message has the output tokens that Anthropic bills: those of the last event, which are all of them.
# Seen:     it has those of the first event (what was out by then) added: 3 + 50 = 53. Each streamed call is billed too high, by a few tokens.
#           The span that Anthropic's own SDK makes of the same call has 50.
# Output:   the output tokens of each scope's span
# Here:     Anthropic's own span wins, in either order; tests/senders/test_roads.py::test_each_paid_call_is_charged_once_at_its_true_price
set -euo pipefail
expected='com.anthropic.sdk.python 50
opentelemetry.instrumentation.anthropic 53'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 opentelemetry-sdk==1.45.2 opentelemetry-instrumentation-anthropic==0.62.4
cat >"$folder/try.py" <<'END'
import json, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

def usage(output_tokens):
    return {"input_tokens": 100, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": output_tokens}

# Documented by Anthropic: "The token counts shown in the usage field of the message_delta event are cumulative."
EVENTS = [
    {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929", "content": [],
                                          "stop_reason": None, "stop_sequence": None, "usage": usage(3)}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage(50)},
    {"type": "message_stop"},
]

class Anthropic(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in EVENTS).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass

server = HTTPServer(("127.0.0.1", 0), Anthropic)
threading.Thread(target=server.serve_forever, daemon=True).start()

import anthropic
from opentelemetry import trace
from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
AnthropicInstrumentor().instrument(tracer_provider=provider)
client = anthropic.Anthropic(base_url=f"http://127.0.0.1:{server.server_address[1]}", api_key="none")
for _ in client.messages.create(model="claude-sonnet-4-5-20250929", max_tokens=100, messages=[{"role": "user", "content": "q"}], stream=True):
    pass
for line in sorted(f"{span.instrumentation_scope.name} {span.attributes['gen_ai.usage.output_tokens']}" for span in spans.get_finished_spans()):
    print(line)
END
seen=$("$folder/env/bin/python" "$folder/try.py" 2>/dev/null)
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
