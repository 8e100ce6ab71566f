"""Sends what a source of load has to send, at its rate, and the same bytes again until they are answered.

One process, one loop, some connections. The schedule does not wait for answers (an open loop): what is due while every connection waits
for the program is late because of the program, and its time counts from when it was due. How late the loop itself was is kept apart, so
that a client that does not keep up is not taken for a slow program, and the reverse.

*Limits.* READY_MAX requests wait for a connection; the schedule halts there, and the rate that is missed shows in the figures.
"""

import heapq
import itertools
import json
import os
import selectors
import time
from array import array
from collections import Counter, deque

from .connection import Connection

READY_MAX = 2_000
# After a refused or broken connection, and the longest that an answer may ask to wait for.
RETRY_SECONDS, RETRY_SECONDS_MAX = 0.02, 5.0
ANSWER_SECONDS_MAX = 65.0
# After the last request is due, everything must be answered within this.
FINISH_SECONDS_MAX = 120.0
WAKE_SECONDS_MAX = 0.5
EXAMPLES_MAX, REFUSALS_MAX = 20, 100_000


class Wrong(Exception):
    """An answer that is not what the reference promises."""


class Request:
    __slots__ = ("kind", "wire", "expected", "content", "due", "drawn", "tries")

    def __init__(self, kind, wire, content=None, due=0.0, expected=(200,)):
        self.kind, self.wire, self.content, self.expected, self.due = kind, wire, content, expected, due
        self.drawn, self.tries = None, 0


class Figures:
    """What a lane has measured. Times are those of the monotonic clock, which all processes share."""

    def __init__(self):
        self.began, self.answered = {}, {}  # kind → when requests were due (or drawn, if the loop was late) and answered
        self.late_seconds = array("d")
        self.drawn = 0
        self.retries = Counter()  # kind, reason → number
        self.refusals = []  # time, kind, status, slug of each 5xx, the first REFUSALS_MAX
        self.refused = Counter()  # kind, status, slug → number
        self.wrong, self.wrong_examples = 0, []
        self.unanswered = 0
        self.known = 0  # sent again, and recorded the first time: only the answer was lost
        self.cpu_seconds = 0.0
        self.finished_at = 0.0

    def note_wrong(self, text):
        self.wrong += 1
        if len(self.wrong_examples) < EXAMPLES_MAX:
            self.wrong_examples.append(text)

    def note_time(self, request, now):
        self.began.setdefault(request.kind, array("d")).append(request.drawn)
        self.answered.setdefault(request.kind, array("d")).append(now)


class Lane:
    def __init__(self, port, source, begin, end, progress):
        self._source, self._begin, self._end = source, begin, end
        self._progress = progress
        self._selector = selectors.DefaultSelector()
        self._connections = [Connection(port, self._selector) for _ in range(source.connections)]
        self._ready = deque()
        self._later = []
        self._order = itertools.count()
        self._idle = deque(self._connections)
        self.figures = Figures()

    def run(self):
        """Until all is answered. The figures are complete afterwards."""
        parent, swept = os.getppid(), 0.0
        while True:
            now = time.monotonic()
            if now - swept > 1.0:
                swept = now
                self._sweep(now)
                if os.getppid() != parent:
                    raise SystemExit("nobody waits for this any more")
            self._draw(now)
            self._assign(now)
            open_requests = len(self._ready) + len(self._later) + len(self._connections) - len(self._idle)
            if now >= self._end and not open_requests:
                break
            if now > self._end + FINISH_SECONDS_MAX:
                self.figures.unanswered = open_requests
                break
            for key, events in self._selector.select(self._pause(now)):
                self._step(key.data, events)
        for connection in self._connections:
            connection.close()
        self.figures.finished_at = time.monotonic()
        self.figures.cpu_seconds = time.process_time()
        return self.figures

    def _draw(self, now):
        while self._later and self._later[0][0] <= now:
            self._make_ready(heapq.heappop(self._later)[2], now)
        while len(self._ready) < READY_MAX:
            due = self._begin + self.figures.drawn / self._source.per_second
            if due > now or due >= self._end:
                return
            request = self._source.next(self.figures.drawn)
            request.due = due
            self.figures.drawn += 1
            self.figures.late_seconds.append(now - due)
            self._make_ready(request, now)
        self._progress[0] = self.figures.drawn

    def _make_ready(self, request, now):
        if request.drawn is None:
            request.drawn = now
        self._ready.append(request)

    def _assign(self, now):
        for _ in range(len(self._idle)):
            if not self._ready:
                return
            connection = self._idle.popleft()
            if connection.rests_until > now:
                self._idle.append(connection)
                continue
            request = self._ready.popleft()
            request.tries += 1
            connection.take(request, now)

    def _pause(self, now):
        next_due = self._begin + self.figures.drawn / self._source.per_second
        wake = now + WAKE_SECONDS_MAX
        if next_due < self._end and len(self._ready) < READY_MAX:
            wake = min(wake, next_due)
        if self._later:
            wake = min(wake, self._later[0][0])
        if self._ready and self._idle:
            wake = min(wake, min(connection.rests_until for connection in self._idle))
        return max(0.0, wake - now)

    def _step(self, connection, events):
        outcome = connection.step(events)
        if outcome is None:
            return
        now = time.monotonic()
        request = connection.request
        if isinstance(outcome, str):
            self._lost(connection, outcome, now)
            return
        if outcome.header("connection") == "close":
            connection.close()
        connection.request = None
        self._idle.append(connection)
        self._answered(request, outcome, now)

    def _lost(self, connection, reason, now):
        """The connection is gone, and with it the answer of what it carried."""
        connection.close()
        request, connection.request = connection.request, None
        if request is None:
            return
        connection.rests_until = now + RETRY_SECONDS
        self._idle.append(connection)
        self.figures.retries[request.kind, reason] += 1
        # At the head of those that wait: it is older than they are.
        self._ready.appendleft(request)

    def _answered(self, request, answer, now):
        if answer.status >= 500:
            self._refused(request, answer, now)
            return
        self.figures.note_time(request, now)
        self._progress[1] += 1
        try:
            if answer.status not in request.expected:
                raise Wrong("not expected")
            following = self._source.answered(request, answer)
        except (Wrong, ValueError, KeyError, TypeError, ArithmeticError) as error:
            text = answer.body[:300].decode("utf-8", "replace")
            self.figures.note_wrong(f"{request.kind}, try {request.tries}: {error!r}: {answer.status} {text}")
            return
        for after_seconds, follower in following or ():
            follower.due = now + after_seconds
            heapq.heappush(self._later, (follower.due, next(self._order), follower))

    def _refused(self, request, answer, now):
        try:
            slug = json.loads(answer.body)["type"].rsplit("/", 1)[-1]
        except (ValueError, KeyError, TypeError):
            slug = "no problem+json"
        self.figures.refused[request.kind, answer.status, slug] += 1
        if len(self.figures.refusals) < REFUSALS_MAX:
            self.figures.refusals.append((now, request.kind, answer.status, slug))
        try:
            pause = min(float(answer.header("retry-after") or RETRY_SECONDS), RETRY_SECONDS_MAX)
        except ValueError:
            pause = RETRY_SECONDS
        heapq.heappush(self._later, (now + pause, next(self._order), request))

    def _sweep(self, now):
        for connection in self._connections:
            if connection.request is not None and now - connection.sent_at > ANSWER_SECONDS_MAX:
                self._lost(connection, f"no answer within {ANSWER_SECONDS_MAX:g} s", now)
