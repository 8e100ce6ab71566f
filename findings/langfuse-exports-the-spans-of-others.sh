#!/usr/bin/env bash
# Package:  langfuse 5.0.4 from PyPI (opentelemetry-sdk 1.45.2)
# Expected: an SDK that is given keys and an address sends there what was told to it.
# Seen:     it hangs itself into the process's tracer provider and sends also the model calls that other libraries told, which go to their
#           own exporter besides: the same span arrives twice, by two paths, in two bodies. Adding up spans counts such calls twice.
# Output:   the paths by which one span of another library arrived
# Here:     a span is known by its ids, whatever brought it; tests/senders/test_once.py::test_one_call_by_all_roads_in_any_order_is_one_charge
set -euo pipefail
expected='/api/public/otel/v1/traces
/v1/traces'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check langfuse==5.0.4 opentelemetry-sdk==1.45.2 opentelemetry-exporter-otlp-proto-http==1.45.2
cat >"$folder/try.py" <<'END'
import gzip, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

arrived = set()
class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if b"a call of somebody else" in body:
            arrived.add(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def do_GET(self):
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): pass

receiver = HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=receiver.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{receiver.server_address[1]}"

from langfuse import Langfuse
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{url}/v1/traces")))
trace.set_tracer_provider(provider)
langfuse = Langfuse(public_key="pk", secret_key="sk", base_url=url)
with trace.get_tracer("somebody.else").start_as_current_span("a call of somebody else") as span:
    span.set_attribute("gen_ai.operation.name", "chat")
    span.set_attribute("gen_ai.usage.input_tokens", 1000)
langfuse.flush()
provider.shutdown()
print("\n".join(sorted(arrived)))
END
seen=$("$folder/env/bin/python" "$folder/try.py" 2>/dev/null)
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
