"""Holds whose money is to be returned as soon as the agent answers.

A hold that nobody releases expires, so this need not survive the process. At most RELEASES_MAX wait; the oldest give way.
"""

import collections
import time
from typing import Deque, NamedTuple, Optional

from .agent import Agent, Problem, path
from .transport import Unanswered

RELEASES_MAX = 1_000
RELEASE_SECONDS = 2.0
PAUSE_SECONDS = 1.0
#: How long a request whose answer did not come may still be on its way to the agent.
DOUBT_SECONDS_MAX = 60.0


class Release(NamedTuple):
    id: str
    reason: Optional[str]
    #: When there is nothing to release any more.
    until: float
    #: Whether the agent may not know the hold yet.
    is_in_doubt: bool


class Releases:
    def __init__(self) -> None:
        self._waiting: Deque[Release] = collections.deque(maxlen=RELEASES_MAX)
        self._at = 0.0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, release: Release) -> None:
        self._waiting.append(release)

    def send(self, agent: Agent) -> None:
        """One turn, now and then."""
        if not self._waiting or time.monotonic() < self._at:
            return
        for _ in range(len(self._waiting)):
            release = self._waiting.popleft()
            if time.monotonic() < release.until and not released(agent, release, RELEASE_SECONDS):
                self._waiting.append(release)
        self._at = time.monotonic() + PAUSE_SECONDS


def released(agent: Agent, release: Release, seconds: float) -> bool:
    """Whether there is nothing left to do."""
    fields = {"reason": release.reason} if release.reason else {}
    try:
        answer = agent.post_json(path(release.id, "release"), fields, seconds)
    except Unanswered:
        return False
    if not isinstance(answer, Problem):
        return True
    # Of two requests on their way, the later one may be the first to arrive.
    return answer.status not in (401, 403, 408, 429, 500, 503) and not (answer.status == 404 and release.is_in_doubt)
