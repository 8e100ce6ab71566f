#!/usr/bin/env bash
# Package:  strands-agents 1.62.0 from PyPI (openai 2.54.0, opentelemetry-sdk 1.45.1)
# Expected: the span `invoke_agent` of a question has the tokens that this question took, as its duration is that of this question.
# Seen:     it has those of all questions since the agent was made. Three questions of 1,000 tokens are 1000, 2000, 3000: whoever adds up the
#           agent's spans pays 6,000, and the tenth question looks ten times as dear as the first. The spans `chat` below have their own.
# Output:   the input tokens of the spans of three questions: the provider's 1,000 each time
# Here:     only `chat` is charged, an agent's span never besides it; src/formats/otlp/tests.rs::the_captures_tell_their_calls,
#           tests/senders/test_once.py::test_outer_spans_before_or_after_the_calls_within_them_make_no_difference
set -euo pipefail
expected='chat 1000, invoke_agent 1000
chat 1000, invoke_agent 2000
chat 1000, invoke_agent 3000'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check strands-agents==1.62.0 openai==2.54.0 opentelemetry-sdk==1.45.1
cat >"$folder/try.py" <<'END'
import json, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-2024-08-06"}
CHUNKS = [
    {**HEAD, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "hi"}, "finish_reason": None}]},
    {**HEAD, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {**HEAD, "choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050}},
]

class OpenAI(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in CHUNKS) + "data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())
    def log_message(self, *_): pass

server = HTTPServer(("127.0.0.1", 0), OpenAI)
threading.Thread(target=server.serve_forever, daemon=True).start()

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)

from strands import Agent
from strands.models.openai import OpenAIModel

address = {"base_url": f"http://127.0.0.1:{server.server_address[1]}/v1", "api_key": "none"}
agent = Agent(model=OpenAIModel(client_args=address, model_id="gpt-4o"), callback_handler=None)
for question in ("a", "b", "c"):
    spans.clear()
    agent(question)
    of = {span.attributes["gen_ai.operation.name"]: span.attributes.get("gen_ai.usage.input_tokens") for span in spans.get_finished_spans()}
    print(f"chat {of['chat']}, invoke_agent {of['invoke_agent']}")
END
seen=$("$folder/env/bin/python" "$folder/try.py" 2>/dev/null)
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
