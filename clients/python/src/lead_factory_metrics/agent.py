"""What the agent is asked, and what its answers mean.

An answer counts as the agent's only if it has the agent's form; anything else (a login page, another program on that port, a
proxy's error) leaves the events where they are. The address and the token are read anew for each request, so that an agent that
moved and a token that changed are found.
"""

import json
import os
import re
import threading
import time
import urllib.parse
from datetime import datetime
from decimal import Decimal
from typing import Any, Dict, List, Optional, Set

from . import log
from .events import told
from .transport import Answer, Peer, Unanswered

URL_DEFAULT = "http://127.0.0.1:8000"
URL_NAME, TOKEN_NAME = "LEAD_FACTORY_METRICS_URL", "LEAD_FACTORY_METRICS_TOKEN"
#: For one request with events. The agent answers busy after less.
POST_SECONDS = 10.0
RETRY_AFTER_SECONDS_MAX = 60.0
#: A time that the agent refuses and that is not older than this by our own clock: one of the two clocks is wrong.
CLOCK_SECONDS_MAX = 86_400.0


class Kept(Exception):
    """The events were not acknowledged and stay with the sender."""

    def __init__(self, reason: str, wait_seconds: Optional[float] = None):
        super().__init__(reason)
        self.wait_seconds = wait_seconds


class Problem:
    """An error answer of the agent."""

    def __init__(self, status: int, slug: str, fields: Dict[str, Any]):
        self.status, self.slug, self.fields = status, slug, fields

    def __str__(self) -> str:
        return f"{self.status} {self.slug}: {self.fields.get('detail') or self.fields.get('title') or ''}"


class Counts:
    """What became of the events of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(("recorded", "duplicates", "rejected", "dropped"), 0)

    def add(self, **more: int) -> None:
        with self._lock:
            for key, count in more.items():
                self._counts[key] += count

    def now(self) -> Dict[str, int]:
        return dict(self._counts)


class Agent:
    def __init__(self, url: Optional[str] = None, token: Optional[str] = None):
        self._url, self._token = url, token
        self._peer: Optional[Peer] = None
        self._peer_url = ""
        self.counts = Counts()

    def reset(self) -> None:
        """In a forked child: the connections are the parent's."""
        peer, self._peer = self._peer, None
        if peer is not None:
            peer.close()
        self.counts = Counts()

    def use(self, url: Optional[str], token: Optional[str]) -> None:
        """Another address, another token; None leaves it as it is."""
        self._url, self._token = url or self._url, token or self._token

    def url(self) -> str:
        return self._url or os.environ.get(URL_NAME) or URL_DEFAULT

    def is_off(self) -> bool:
        return self.url().strip().lower() in ("off", "none")

    def post(self, target: str, body: bytes, content_type: str, seconds: float) -> Answer:
        """Raises `Unanswered`."""
        if self.is_off():
            raise Unanswered(f"{URL_NAME} is off")
        url, peer = self.url(), self._peer
        if peer is None or self._peer_url != url:
            peer = Peer(url)
            self._peer, self._peer_url = peer, url
        headers = {"Content-Type": content_type, "User-Agent": "lead-factory-metrics-python"}
        token = self._token or os.environ.get(TOKEN_NAME)
        if token:
            token = token.strip()
            if not token.isascii() or not token.isprintable() or " " in token:
                raise Unanswered(f"{TOKEN_NAME} is no token: it has characters that a header cannot have")
            headers["Authorization"] = f"Bearer {token}"
        return peer.post(target, headers, body, time.monotonic() + seconds)

    def post_json(self, target: str, fields: Dict[str, Any], seconds: float) -> Any:
        """The JSON object of a 2xx answer, or a `Problem`. Raises `Unanswered` for anything that is not the agent's."""
        answer = self.post(target, json.dumps(fields).encode(), "application/json", seconds)
        found = _object(answer)
        if 200 <= answer.status < 300 and found is not None:
            return found
        problem = _problem(answer, found)
        if problem is None:
            raise Unanswered(_not_ours(answer))
        return problem

    def deliver(self, lines: List[str], seconds: float = POST_SECONDS) -> None:
        """Has the events recorded, those that can be. Raises `Kept` where some may not be recorded. `seconds` are for one request;
        there are several where the agent refuses to read a batch."""
        left = [lines]
        stuck: Optional[Problem] = None
        while left:
            batch = left.pop()
            try:
                answer = self._costs(batch, seconds)
            except Unanswered as failed:
                raise Kept(str(failed)) from None
            body = _object(answer)
            if answer.status == 200 and body is not None and _is_count(body.get("accepted")) and _is_count(body.get("duplicates")):
                self._note(batch, body, seconds)
                continue
            problem = _problem(answer, body)
            if problem is None:
                raise Kept(_not_ours(answer))
            if problem.status not in (400, 409, 413, 422, 500):
                raise Kept(str(problem), _seconds(answer.retry_after))
            if len(batch) > 1:  # Somewhere in it is what the agent cannot read at all.
                middle = len(batch) // 2
                left += [batch[middle:], batch[:middle]]
            elif self._takes_none(seconds):  # It is the request that displeases, such as its `Host`.
                raise Kept(str(problem))
            elif problem.status == 500:  # A fault of the agent that this event brings out; the others need not wait for its end.
                stuck = problem
            else:
                self._drop(batch[0], str(problem))
        if stuck is not None:
            raise Kept(str(stuck))

    def _costs(self, lines: List[str], seconds: float) -> Answer:
        body = ("\n".join(lines) + "\n").encode()
        return self.post("/costs?partial=true", body, "application/x-ndjson", seconds)

    def _takes_none(self, seconds: float) -> bool:
        """Whether even a request without events is refused."""
        try:
            answer = self.post("/costs?partial=true", b"[]", "application/json", seconds)
        except Unanswered:
            return True
        return answer.status != 200

    def _note(self, lines: List[str], body: Dict[str, Any], seconds: float) -> None:
        revised, rejected = body.get("revised"), body.get("rejected")
        self.counts.add(
            recorded=body["accepted"] + (revised if _is_count(revised) else 0),
            duplicates=body["duplicates"],
        )
        if not _is_count(rejected) or not rejected:
            return
        again: List[str] = []
        told_of: Dict[int, List[Dict[str, Any]]] = {}
        errors = body.get("errors")
        for error in errors if isinstance(errors, list) else []:
            index: Any = error.get("index") if isinstance(error, dict) else None
            if _is_count(index) and index < len(lines):
                told_of.setdefault(index, []).append(error)
        for index, wrong in told_of.items():
            reasons = ", ".join(f"{error.get('field')}: {error.get('detail')}" for error in wrong)
            mended = _mended(lines[index], {error.get("field") for error in wrong}, reasons)
            if mended is not None:
                again.append(mended)
            else:
                self._drop(lines[index], reasons)
        untold = rejected - len(told_of)
        if untold > 0:
            self.counts.add(rejected=untold)
            log.error("rejected", "%d more events were rejected by the agent", untold)
        if again:
            self.deliver(again, seconds)

    def _drop(self, line: str, reason: str) -> None:
        self.counts.add(rejected=1)
        event = told(line) or {}
        what = " ".join(str(event.get(key)) for key in ("service", "operation", "amount_usd", "id"))
        log.error("rejected", "the agent rejects a call (%s): %s", what, reason)


def _mended(line: str, wrong: Set[Any], reasons: str) -> Optional[str]:
    """The event without what the agent does not take, where it is known all the same what was spent."""
    event = told(line) or {}
    if wrong == {"time"} and _age_seconds(event.get("time")) < CLOCK_SECONDS_MAX:
        # By our own clock the call was just made. Either the clocks differ, and nobody can tell whose is wrong, or the call is
        # known by its id already: then it is the same one without a time.
        say = log.info if str(event.get("source")).startswith("call:") else log.warning
        say("time", "a call is sent again without its time: %s", reasons)
    elif not (wrong == {"usage_raw"} and "amount_usd" in event):  # An older agent does not know that field.
        return None
    return json.dumps(event, separators=(",", ":")) if event.pop(wrong.pop(), None) is not None else None


def _age_seconds(when: object) -> float:
    """By our own clock; a time that cannot be read is as old as can be."""
    try:
        text = re.sub(r"\.\d+", "", str(when).upper().replace("Z", "+00:00"))
        return time.time() - datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return float("inf")


def _object(answer: Answer) -> Optional[Dict[str, Any]]:
    try:
        found = json.loads(answer.body, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _problem(answer: Answer, body: Optional[Dict[str, Any]]) -> Optional[Problem]:
    kind = body.get("type") if body else None
    if body is None or not isinstance(kind, str) or not answer.content_type.startswith("application/problem+json"):
        return None
    before, found, slug = kind.rpartition("/problems/")
    return Problem(answer.status, slug, body) if found and answer.status >= 400 else None


def _not_ours(answer: Answer) -> str:
    return f"what answers there is not the agent: status {answer.status}, {answer.content_type[:80] or 'no type'}"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _seconds(retry_after: Optional[str]) -> Optional[float]:
    if retry_after is None or not retry_after.strip().isdigit():
        return None
    return min(float(retry_after), RETRY_AFTER_SECONDS_MAX)


def path(reservation_id: str, verb: str) -> str:
    return f"/reservations/{urllib.parse.quote(reservation_id, safe='')}/{verb}"
