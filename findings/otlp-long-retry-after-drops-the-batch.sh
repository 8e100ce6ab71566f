#!/usr/bin/env bash
# Package:  opentelemetry-exporter-otlp-proto-http 1.45.2 (opentelemetry-sdk 1.45.2) from PyPI
# Expected: a collector that answers 503 with Retry-After gets the batch again when it said. The longer it asks for, the later.
# Seen:     what does not fit into the exporter's timeout, 10 s for all tries together, is not waited for: the batch is dropped at once, without
#           a second try. Retry-After: 30 of a collector that restarts loses what no Retry-After at all would have saved. The exporter for
#           JavaScript does the same.
# Output:   for each Retry-After of a first 503, after which all is well: the tries, and what the export came to
# Here:     what may be sent again says 1 or 5 seconds, never more; src/api/problem/rendering.rs::what_may_be_sent_again_says_when,
#           tests/senders/test_roads.py::test_a_busy_agent_is_asked_again
set -euo pipefail
expected='none: 2 tries, SUCCESS
2: 2 tries, SUCCESS
11: 1 try, FAILURE
30: 1 try, FAILURE'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check opentelemetry-sdk==1.45.2 opentelemetry-exporter-otlp-proto-http==1.45.2
cat >"$folder/try.py" <<'END'
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

tries, after = [], None
class Collector(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        tries.append(self.path)
        self.send_response(503 if len(tries) == 1 else 200)
        if len(tries) == 1 and after:
            self.send_header("Retry-After", after)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): pass

collector = HTTPServer(("127.0.0.1", 0), Collector)
threading.Thread(target=collector.serve_forever, daemon=True).start()

spans, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
provider.get_tracer("worker").start_span("chat gpt-4o", attributes={"gen_ai.usage.input_tokens": 1000}).end()
exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{collector.server_address[1]}/v1/traces")
for after in (None, "2", "11", "30"):
    tries.clear()
    result = exporter.export(spans.get_finished_spans()).name
    print(f"{after or 'none'}: {len(tries)} {'try' if len(tries) == 1 else 'tries'}, {result}")
END
seen=$("$folder/env/bin/python" "$folder/try.py" 2>/dev/null)
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
