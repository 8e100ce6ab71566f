"""The moment at which all kinds of load begin."""

import multiprocessing
import time

from .agent import Failed

# For a lane to make what it will send, which takes a while on a busy machine; then all begin at the same moment.
PREPARE_SECONDS_MAX = 120.0
BEGIN_AFTER_SECONDS = 0.1


class Starter:
    """Lets the lanes begin together, once all of them have made what they will send."""

    def __init__(self):
        fork = multiprocessing.get_context("fork")
        self._prepared, self._decided, self._at = fork.Semaphore(0), fork.Event(), fork.RawValue("d")

    def begin(self, lanes):
        """When they begin."""
        for _ in range(lanes):
            if not self._prepared.acquire(timeout=PREPARE_SECONDS_MAX):
                raise Failed(f"a process of the load is not prepared within {PREPARE_SECONDS_MAX:g} s")
        self._at.value = time.monotonic() + BEGIN_AFTER_SECONDS
        self._decided.set()
        return self._at.value

    def wait(self):
        """In a lane."""
        self._prepared.release()
        if not self._decided.wait(PREPARE_SECONDS_MAX):
            raise Failed("nobody says when to begin")
        return self._at.value
