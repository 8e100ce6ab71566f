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


class Release(NamedTuple):
    id: str
    reason: Optional[str]
    until: float


class Releases:
    def __init__(self) -> None:
        self._waiting: Deque[Release] = collections.deque(maxlen=RELEASES_MAX)

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, release: Release) -> None:
        self._waiting.append(release)

    def send(self, agent: Agent) -> None:
        while self._waiting:
            release = self._waiting.popleft()
            if time.monotonic() < release.until and not released(agent, release, RELEASE_SECONDS):
                self._waiting.appendleft(release)
                return


def released(agent: Agent, release: Release, seconds: float) -> bool:
    """Whether there is nothing left to do."""
    fields = {"reason": release.reason} if release.reason else {}
    try:
        answer = agent.post_json(path(release.id, "release"), fields, seconds)
    except Unanswered:
        return False
    return not (isinstance(answer, Problem) and answer.status in (401, 403, 408, 429, 503))
