"""A way for what senders send to the agent: every request is kept and passed on, or refused first as a busy agent refuses."""

import gzip
import http.client
import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Sent:
    """One request as it came, its body with whatever coding it had."""

    path: str
    headers: dict
    body: bytes
    status: int = 0

    def inflated(self):
        coded = {name.lower(): value for name, value in self.headers.items()}.get("content-encoding") == "gzip"
        return gzip.decompress(self.body) if coded else self.body

    def json(self):
        return json.loads(self.inflated())


class Tee:
    """Passes POSTs on to `agent_port` (or answers 200 by itself where there is none). `busy` requests are answered 503 first."""

    def __init__(self, agent_port=None, busy=0):
        self.agent_port = agent_port
        self.busy = busy
        self.sent = []
        self.refused = []
        self.lock = threading.Lock()
        tee = self

        class Handler(Requests):
            pass

        Handler.tee = tee
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    tee = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.reply(200, b"{}", "application/json")

    def do_POST(self):
        # Decoded as HTTP does, byte for byte: some senders put raw UTF-8 there.
        sent = Sent(self.path, {name: value for name, value in self.headers.items()}, self.body())
        with self.tee.lock:
            refuse = self.tee.busy > 0
            self.tee.busy -= refuse
            (self.tee.refused if refuse else self.tee.sent).append(sent)
        if refuse:
            sent.status = 503
            return self.reply(503, b"", "text/plain", {"Retry-After": "1"})
        if self.tee.agent_port is None:
            sent.status = 200
            return self.reply(200, b"{}" if "json" in self.headers.get("Content-Type", "") else b"", self.headers.get("Content-Type", ""))
        sent.status, headers, body = post(self.tee.agent_port, sent)
        more = {name: value for name, value in headers.items() if name.lower() == "retry-after"}
        self.reply(sent.status, body, headers.get("Content-Type", "text/plain"), more)

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def reply(self, status, body, kind, headers=()):
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        if status != 204:
            self.wfile.write(body)


def post(port, sent):
    """Sends a kept request again, as it came. Returns status, headers and body of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest("POST", sent.path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", f"127.0.0.1:{port}")
        for name, value in sent.headers.items():
            if name.lower() not in ("host", "content-length", "transfer-encoding", "connection"):
                connection.putheader(name, value.encode("latin-1"))
        connection.putheader("Content-Length", str(len(sent.body)))
        connection.endheaders(sent.body)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()
