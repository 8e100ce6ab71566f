"""HTTP/1.1 as bytes: requests that are made once and sent many times, and a reader of answers."""

HEAD_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 64 * 1024 * 1024


class BadAnswer(Exception):
    """What came is no answer over HTTP."""


def post(path, body, content_type="application/json"):
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def get(path, accept="*/*"):
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {accept}\r\n\r\n".encode()


class Answer:
    """One answer, fed as it comes."""

    def __init__(self):
        self._received = bytearray()
        self._head = None
        self._length = 0
        self.status = 0
        self.body = b""

    def feed(self, received):
        """True once the answer is whole."""
        self._received += received
        if self._head is None and not self._read_head():
            return False
        if self._length is None:
            return self._read_chunks()
        if len(self._received) < self._length:
            return False
        self.body = bytes(self._received[: self._length])
        return True

    def header(self, name):
        for line in (self._head or "").split("\r\n"):
            if line.startswith(name + ":"):
                return line[len(name) + 1 :].strip()
        return None

    def _read_head(self):
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            if len(self._received) > HEAD_BYTES_MAX:
                raise BadAnswer("a head without an end")
            return False
        self._head = self._received[:end].decode("latin-1").lower()
        del self._received[: end + 4]
        try:
            version, status = self._head.split(" ", 2)[:2]
            self.status = int(status)
        except ValueError:
            version = ""
        if version != "http/1.1":
            raise BadAnswer(self._head[:100])
        length = self.header("content-length")
        if length is not None:
            self._length = int(length)
        elif self.header("transfer-encoding") == "chunked":
            self._length = None
        if (self._length or 0) > BODY_BYTES_MAX:
            raise BadAnswer(f"a body of {self._length} bytes")
        return True

    def _read_chunks(self):
        body, at = bytearray(), 0
        while True:
            line_end = self._received.find(b"\r\n", at)
            if line_end < 0:
                break
            size = int(self._received[at:line_end], 16)
            at = line_end + 2 + size + 2
            if at > len(self._received):
                break
            if size == 0:
                self.body = bytes(body)
                return True
            body += self._received[line_end + 2 : line_end + 2 + size]
        if len(self._received) > BODY_BYTES_MAX:
            raise BadAnswer("a body in chunks without an end")
        return False
