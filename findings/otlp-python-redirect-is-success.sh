#!/usr/bin/env bash
# Package:  opentelemetry-exporter-otlp-proto-http 1.45.2 (opentelemetry-sdk 1.45.2) from PyPI
# Expected: whoever answers with a redirect has not taken the spans. The exporter goes where it is sent, or says that it failed.
# Seen:     it does not go there, and every status below 400 is a success: where a proxy sends senders to https:// or to a page to sign in
#           at, all spans are gone, and with them all cost, without a line in a log. The exporter for JavaScript calls that a failure.
# Output:   for each status: what the export came to, and which paths were asked
# Here:     the agent redirects nobody: another spelling of a path is a 404; src/api/tests/calls.rs::unknown_paths_and_methods_are_told_apart_and_folded
#           Its own push takes a redirect for a failure; tests/it/otlp/failures.rs::it_refuses_everything
set -euo pipefail
expected='200: SUCCESS, asked /v1/traces
301: SUCCESS, asked /v1/traces
302: SUCCESS, asked /v1/traces
307: SUCCESS, asked /v1/traces
308: SUCCESS, asked /v1/traces
404: FAILURE, asked /v1/traces'
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

asked, status = [], 200
class Proxy(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        asked.append(self.path)
        self.send_response(status)
        self.send_header("Location", "/elsewhere/v1/traces")
        self.send_header("Content-Length", "0")
        self.end_headers()
    def do_GET(self):
        asked.append(self.path)
        self.send_error(405)
    def log_message(self, *_): pass

proxy = HTTPServer(("127.0.0.1", 0), Proxy)
threading.Thread(target=proxy.serve_forever, daemon=True).start()

spans, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
provider.get_tracer("worker").start_span("chat gpt-4o", attributes={"gen_ai.usage.input_tokens": 1000}).end()
exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{proxy.server_address[1]}/v1/traces")
for status in (200, 301, 302, 307, 308, 404):
    asked.clear()
    print(f"{status}: {exporter.export(spans.get_finished_spans()).name}, asked {', '.join(asked)}")
END
seen=$("$folder/env/bin/python" "$folder/try.py" 2>/dev/null)
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
