"""HTTP to the agent, with one deadline for all of a request.

`http.client` alone has a time-out for each read, so a peer that sends a byte now and then could keep a caller for ever. Here the
deadline counts from looking up the name to the last byte of the answer. Connections are kept and used again; no proxy is asked.

Limits: CONNECTIONS_IDLE_MAX connections are kept, ANSWER_BYTES_MAX of an answer are read.
"""

import collections
import http.client
import io
import queue
import socket
import threading
import time
import urllib.parse
from typing import Any, Deque, Dict, List, NamedTuple, Optional, Tuple

CONNECTIONS_IDLE_MAX = 8
#: The agent closes a connection after 60 s without a request.
IDLE_SECONDS_MAX = 30.0
ANSWER_BYTES_MAX = 1 << 20
NAME_CACHE_SECONDS = 30.0


class Unanswered(Exception):
    """No answer; whether the request was acted upon is not known."""


class Answer(NamedTuple):
    status: int
    content_type: str
    retry_after: Optional[str]
    body: bytes


class Peer:
    """One agent, by its URL."""

    def __init__(self, url: str):
        self._idle: Deque[Tuple[float, socket.socket]] = collections.deque()
        url = url.strip()
        #: The agent's Unix socket, at which a host is named all the same.
        self._socket = url[len("unix:") :] if url.startswith("unix:") else ""
        if self._socket:
            url = "http://localhost"
        try:
            parts = urllib.parse.urlsplit(url)
            port = parts.port
        except ValueError as failed:
            raise Unanswered(f"the agent's URL is not one: {failed}") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii() or not url.isprintable():
            raise Unanswered("the agent's URL is not one that begins with http://, https:// or unix:")
        self._secure = parts.scheme == "https"
        self._host = parts.hostname
        self._port = port or (443 if self._secure else 80)
        self._named = parts.netloc.rpartition("@")[2]
        self._prefix = parts.path.rstrip("/")
        self._addresses: Tuple[float, List[str]] = (0.0, [])

    def post(self, target: str, headers: Dict[str, str], body: bytes, deadline: float) -> Answer:
        """Raises `Unanswered`. The deadline is of `time.monotonic`."""
        head = [f"POST {self._prefix}{target} HTTP/1.1", f"Host: {self._named}", f"Content-Length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in headers.items()]
        request = "\r\n".join(head).encode("ascii") + b"\r\n\r\n" + body
        try:
            kept = self._kept()
            if kept is not None:
                try:
                    return self._exchange(kept, request, deadline)
                except (ConnectionError, http.client.BadStatusLine):
                    pass  # The peer closed it meanwhile; every request here may be sent twice.
            return self._exchange(self._connected(deadline), request, deadline)
        except (OSError, http.client.HTTPException, ValueError, LookupError) as failed:
            raise Unanswered(str(failed) or type(failed).__name__) from failed

    def close(self) -> None:
        while True:
            try:
                self._idle.popleft()[1].close()
            except IndexError:
                return
            except OSError:
                pass  # It is closed all the same.

    def __del__(self) -> None:
        try:
            self.close()
        except Exception:
            pass

    def _kept(self) -> Optional[socket.socket]:
        while True:
            try:
                since, kept = self._idle.pop()
            except IndexError:
                return None
            if time.monotonic() - since < IDLE_SECONDS_MAX:
                return kept
            kept.close()

    def _exchange(self, connection: socket.socket, request: bytes, deadline: float) -> Answer:
        is_reusable = False
        try:
            connection.settimeout(_left(deadline))
            try:
                connection.sendall(request)
            except ConnectionError:
                pass  # The answer may stand there all the same: a refusal before the body was read.
            response = http.client.HTTPResponse(_Timed(connection, deadline), method="POST")  # type: ignore[arg-type]
            response.begin()
            body = response.read(ANSWER_BYTES_MAX)
            # Only an answer that was read to its end leaves a connection for the next request.
            is_reusable = response.isclosed() and not response.will_close
            get = response.headers.get
            answer = Answer(response.status, get("Content-Type") or "", get("Retry-After"), body)
            response.close()
            return answer
        finally:
            if is_reusable and len(self._idle) < CONNECTIONS_IDLE_MAX:
                self._idle.append((time.monotonic(), connection))
            else:
                connection.close()

    def _connected(self, deadline: float) -> socket.socket:
        if self._socket:
            return self._connected_locally(deadline)
        failed: Exception = OSError(f"{self._host} has no address")
        for address in self._resolved(deadline):
            try:
                numeric = address.encode("ascii")
                connection = socket.create_connection((numeric, self._port), timeout=_left(deadline))  # type: ignore[arg-type]
            except OSError as this:
                failed = this
                continue
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._secured(connection, deadline) if self._secure else connection
        raise failed

    def _connected_locally(self, deadline: float) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(_left(deadline))
            connection.connect(self._socket)
        except BaseException:
            connection.close()
            raise
        return connection

    def _secured(self, connection: socket.socket, deadline: float) -> socket.socket:
        import ssl  # Slow to import, and seldom needed: the agent is on this host.

        connection.settimeout(_left(deadline))
        try:
            return ssl.create_default_context().wrap_socket(connection, server_hostname=self._host)
        except BaseException:
            connection.close()
            raise

    def _resolved(self, deadline: float) -> List[str]:
        """The addresses of the host. The system's look-up has no time-out, so that a thread waits for it."""
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                socket.inet_pton(family, self._host)
                return [self._host]
            except (OSError, ValueError):
                pass
        until, addresses = self._addresses
        if time.monotonic() < until:
            return addresses
        found: "queue.SimpleQueue[Any]" = queue.SimpleQueue()

        def look_up() -> None:
            try:
                # As bytes: of a text Python loads a codec first, and a process forked while it does never has that codec.
                answer: Any = socket.getaddrinfo(self._host.encode("ascii"), self._port, type=socket.SOCK_STREAM)
            except Exception as failed:
                answer = failed
            found.put(answer)

        try:
            threading.Thread(target=look_up, name="lead-factory-metrics-name", daemon=True).start()
        except RuntimeError:
            look_up()  # No threads any more: the interpreter is shutting down.
        try:
            answer = found.get(timeout=_left(deadline))
        except queue.Empty:
            raise TimeoutError(f"the look-up of {self._host} took too long") from None
        if isinstance(answer, UnicodeError):
            raise OSError(f"{self._host} is not a host name")
        if isinstance(answer, Exception):
            raise answer
        addresses = list(dict.fromkeys(entry[4][0] for entry in answer))
        self._addresses = (time.monotonic() + NAME_CACHE_SECONDS, addresses)
        return addresses


class _Timed(io.RawIOBase):
    """What `HTTPResponse` reads from: the connection, until the deadline."""

    def __init__(self, connection: socket.socket, deadline: float):
        self._connection, self._deadline = connection, deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(_left(self._deadline))
        return self._connection.recv_into(buffer)


def _left(deadline: float) -> float:
    """A time-out for the next step; never 0, which would mean: do not wait."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no answer in time")
    return left
