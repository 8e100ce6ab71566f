"""One connection that is kept alive: it carries one request at a time and says what became of it."""

import errno
import os
import selectors
import socket

from .wire import Answer, BadAnswer

RECEIVE_BYTES = 256 * 1024


class Connection:
    """*Invariant.* It has a request from `take` until `step` returns something other than None, or `close`."""

    def __init__(self, port, selector):
        self._address = ("127.0.0.1", port)
        self._selector = selector
        self._socket = None
        self._unsent = None
        self._answer = None
        self.request = None
        # Not to be used before; after a refusal a moment later.
        self.rests_until = 0.0
        self.sent_at = 0.0

    def take(self, request, now):
        self.request, self.sent_at = request, now
        self._unsent = memoryview(request.wire)
        self._answer = Answer()
        if self._socket is None:
            self._socket = socket.socket()
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.connect_ex(self._address)
            self._selector.register(self._socket, selectors.EVENT_READ | selectors.EVENT_WRITE, self)
            return
        try:
            self._send()
        except OSError:
            # The kernel says so again when it is asked for events, where this is dealt with.
            pass
        if len(self._unsent):
            self._selector.modify(self._socket, selectors.EVENT_READ | selectors.EVENT_WRITE, self)

    def step(self, events):
        """Goes on: the answer once it is whole, or the text of what went wrong."""
        try:
            if events & selectors.EVENT_WRITE:
                self._finish_sending()
            if events & selectors.EVENT_READ:
                received = self._socket.recv(RECEIVE_BYTES)
                if not received:
                    return "closed by the program"
                if self.request is None:
                    return "bytes that nobody asked for"
                if self._answer.feed(received):
                    return self._answer
        except BlockingIOError:
            pass
        except (OSError, BadAnswer, ValueError) as error:
            return str(error)
        return None

    def close(self):
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
        self._socket = self._unsent = None

    def _finish_sending(self):
        failed = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failed:
            raise OSError(failed, os.strerror(failed))
        self._send()
        if not len(self._unsent):
            self._selector.modify(self._socket, selectors.EVENT_READ, self)

    def _send(self):
        try:
            while len(self._unsent):
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ENOTCONN):
                raise
