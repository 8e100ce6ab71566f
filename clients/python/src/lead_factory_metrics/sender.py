"""From the caller to the agent: a queue, one thread, and the spool while the agent is away.

A caller only puts a line into the queue. The thread takes what is there and sends it; what comes meanwhile is the next batch. If
that fails, the batch and all that follows go to the spool at once, so that a worker that is killed then loses nothing, and the
agent is asked again with growing pauses. When it answers, the spool is sent, also what other processes left there.

*Invariants.* A line is in exactly one place that survives what may happen to it next: the queue, the batch in flight, or the spool;
sending twice is harmless, since its id counts once. Callers take no lock: they may be signal handlers or finalizers.

*Limits.* Above QUEUE_EVENTS_MAX the queue goes to the spool. Where that cannot be written, events wait in memory up to
MEMORY_EVENTS_MAX; more are dropped, and logged.
"""

import queue
import random
import threading
import time
from typing import List, Optional, Tuple, Union

from . import log
from .agent import Agent, Kept
from .releases import PAUSE_SECONDS as RELEASE_PAUSE_SECONDS, Releases
from .spool import Spool

QUEUE_EVENTS_MAX = 10_000
MEMORY_EVENTS_MAX = 100_000
BATCH_EVENTS_MAX = 1_000
BATCH_CHARS_MAX = 1 << 20
PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 0.1, 5.0
#: How often the spool is looked at for what other processes left.
SPOOL_SECONDS = 30.0
#: After so many batches it is the turn of a file of the spool, if there is one.
ROUNDS_PER_FILE = 8
#: After so long without progress, `flush` takes the disk.
STALL_SECONDS = 2.0


class Mark:
    """Stands in the queue behind the events that a `flush` waits for."""

    def __init__(self) -> None:
        self.is_safe = threading.Event()  # recorded or on disk
        self.is_done = threading.Event()  # and nothing better comes soon
        self.is_given_up = False  # nobody waits any more


class Sender:
    def __init__(self, agent: Agent, spool: Spool):
        self.agent, self.spool = agent, spool
        self.is_closing = False
        self.reset()

    def reset(self) -> None:
        """As new; in a forked child, where threads, locks and events are the parent's."""
        self._queue: "queue.SimpleQueue[Union[str, Mark]]" = queue.SimpleQueue()
        self._wake = threading.Lock()  # A semaphore of one: released to wake the thread.
        self._wake.acquire()
        self._take = threading.Lock()  # Held while lines move from the queue into flight or onto the disk.
        self._flight: List[str] = []
        self._flight_is_saved = False
        self._starting = threading.Lock()
        self._thread: Optional[threading.Thread] = None
        self._spilling = threading.Lock()
        self._marks: List[Mark] = []
        self._progress = self._rounds = 0
        self._file_tried = ""
        self.is_away = False
        self._pause_seconds = PAUSE_SECONDS_MIN
        self._agent_at = self._disk_at = self._spool_at = 0.0
        self.releases = Releases()

    # === What callers do

    def put(self, line: str) -> None:
        """Never waits: neither for the agent nor for the disk."""
        if self.is_closing:  # The thread may be gone already; only the disk is left.
            if not self.spool.append([line]):
                self._drop(1)
            return
        waiting = self.queued()
        if waiting >= MEMORY_EVENTS_MAX:
            self._drop(1)
            return
        self._queue.put(line)
        self.start()
        if waiting >= QUEUE_EVENTS_MAX and time.monotonic() >= self._disk_at:
            self._spill()

    def start(self) -> None:
        """Wakes the thread, and makes it where there is none."""
        thread = self._thread
        if thread is None or not thread.is_alive():
            if not self._starting.acquire(False):
                return  # Somebody is at it.
            try:
                thread = threading.Thread(target=self._run, name="lead-factory-metrics", daemon=True)
                thread.start()
                self._thread = thread
            except RuntimeError as failed:  # No thread to be had now; the next call tries again.
                log.warning("thread", "no thread could be started: %s", failed)
            finally:
                self._starting.release()
        try:
            self._wake.release()
        except RuntimeError:
            pass  # It is awake.

    def close(self, timeout_seconds: float) -> None:
        """The last flush. From now on only the disk is used: threads may be gone."""
        self.flush(timeout_seconds)
        self.is_closing = True
        self._save_all()
        self.spool.close()

    def queued(self) -> int:
        return self._queue.qsize() + len(self._flight)

    def flush(self, timeout_seconds: float) -> bool:
        """Whether all that was put before is recorded or on disk. Prefers the agent for as long as it gets on."""
        deadline = time.monotonic() + timeout_seconds
        mark = Mark()
        self._queue.put(mark)
        self._agent_at = self._disk_at = self._spool_at = 0.0
        self.start()
        seen, since = self._progress, time.monotonic()
        while not mark.is_done.wait(0.05):
            now, thread = time.monotonic(), self._thread
            if self._progress != seen:
                seen, since = self._progress, now
            if now - since > STALL_SECONDS or now > deadline - min(1.0, timeout_seconds / 4):
                break
            if thread is None or not thread.is_alive():
                break
        mark.is_given_up = True
        return mark.is_safe.is_set() or self._save_all()

    def _save_all(self) -> bool:
        """Everything to disk, also what is in flight: if that arrives all the same, it counts once."""
        with self._take:
            lines, marks = self._drained(2 * MEMORY_EVENTS_MAX)
            held = [] if self._flight_is_saved else self._flight
            if held or lines:
                if not self.spool.append(held + lines, synced=True):
                    self._put_back(lines, marks)
                    return False
                self._flight_is_saved, self._spool_at = True, 0.0
            for mark in marks:
                mark.is_safe.set()
                mark.is_done.set()
            return True

    def _spill(self) -> None:
        """Brings the queue to disk by a thread for the purpose, since ours may be waiting for an answer."""
        if not self._spilling.acquire(False):
            return

        def spill() -> None:
            try:
                while self._queue.qsize() > QUEUE_EVENTS_MAX // 2:
                    with self._take:
                        lines, marks = self._drained(BATCH_EVENTS_MAX * 5)
                        saved = self._saved(lines)
                        self._put_back([], marks)  # Behind what is in flight, so not safe yet.
                    if not saved:
                        return
            finally:
                self._spilling.release()

        try:
            threading.Thread(target=spill, name="lead-factory-metrics-spill", daemon=True).start()
        except RuntimeError:
            self._spilling.release()

    def _drained(self, events_max: int) -> Tuple[List[str], List[Mark]]:
        lines: List[str] = []
        marks: List[Mark] = []
        while len(lines) < events_max:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if isinstance(item, Mark):
                marks.append(item)
            else:
                lines.append(item)
        return lines, marks

    def _saved(self, lines: List[str]) -> bool:
        """Whether the lines are on disk; otherwise they are back in the queue."""
        if not lines:
            return True
        if self.spool.append(lines):
            self._spool_at = 0.0
            return True
        self._disk_at = time.monotonic() + 1.0
        self._put_back(lines, [])
        return False

    def _put_back(self, lines: List[str], marks: List[Mark]) -> None:
        for line in lines:
            self._queue.put(line)
        for mark in marks:  # Behind all that they stood behind.
            if not mark.is_given_up:
                self._queue.put(mark)

    def _drop(self, count: int) -> None:
        self.agent.counts.add(dropped=count)
        log.error("dropped", "a call is lost: no agent, no disk, and %d events wait in memory already", MEMORY_EVENTS_MAX)

    # === What the thread does

    def _run(self) -> None:
        while True:
            self._wake.acquire(timeout=self._patience())
            try:
                while self._round():
                    pass
            except Exception as failed:  # A mistake of ours must not end the recording.
                log.error("internal", "the sender failed and goes on: %r", failed)
                flight, self._flight = self._flight, []
                if not self._flight_is_saved:
                    self._saved(flight)  # Nor may it lose what was to be sent.
                time.sleep(1.0)

    def _patience(self) -> float:
        now = time.monotonic()
        if not self.is_away and not self._queue.qsize():
            return RELEASE_PAUSE_SECONDS if self.releases else SPOOL_SECONDS
        due = self._agent_at if self.is_away else now
        if self._queue.qsize():
            due = min(due, self._disk_at)
        return min(max(due - now, 0.01), SPOOL_SECONDS)

    def _round(self) -> bool:
        """One step; whether there may be another at once."""
        now = time.monotonic()
        is_due = not self.is_away or now >= self._agent_at
        if not is_due and now < self._disk_at:
            return False
        lines, mark = self._next_batch()
        if lines:
            is_due = is_due and self._delivered(lines)
            kept_on_disk = is_due or self._flight_is_saved or self._saved(lines)
            self._flight = []
            if not kept_on_disk:
                self._put_back([], [mark] if mark is not None else [])
                return False
        if mark is not None:
            if not self.is_away or self.spool.sync():
                mark.is_safe.set()
            self._marks.append(mark)
        if lines or mark is not None:
            self._rounds += 1
            if is_due and self._rounds % ROUNDS_PER_FILE == 0 and now >= self._spool_at:
                self._sent_from_spool()  # Its turn also while the queue never empties.
            return True
        return self._after_the_queue(is_due)

    def _after_the_queue(self, is_due: bool) -> bool:
        """The queue is empty: releases, the spool, and those who wait for all that."""
        now = time.monotonic()
        if is_due and (self.is_away or now >= self._spool_at):
            if self._sent_from_spool():
                return True
            is_due = not self.is_away
        if is_due:
            self.releases.send(self.agent)
        done, self._marks = self._marks, []
        for mark in done:
            mark.is_done.set()
        return False

    def _next_batch(self) -> Tuple[List[str], Optional[Mark]]:
        """What to send next, up to a mark."""
        with self._take:
            lines: List[str] = []
            size = 0
            mark = None
            while len(lines) < BATCH_EVENTS_MAX and size < BATCH_CHARS_MAX:
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
                if isinstance(item, Mark):
                    mark = item
                    break
                lines.append(item)
                size += len(item)
            self._flight, self._flight_is_saved = lines, False
        return lines, mark

    def _delivered(self, lines: List[str]) -> bool:
        try:
            self.agent.deliver(lines)
        except Kept as kept:
            self._went(kept)
            return False
        self._progress += 1
        if self.is_away:
            log.info("away", "the agent answers again")
            self._spool_at = 0.0
        self.is_away, self._pause_seconds = False, PAUSE_SECONDS_MIN
        return True

    def _went(self, kept: Kept) -> None:
        if not self.is_away:
            where = self.agent.url(), self.spool.folder
            log.warning("away", "the agent at %s does not record now, events wait in %s: %s", *where, kept)
        self.is_away = True
        pause = kept.wait_seconds if kept.wait_seconds is not None else self._pause_seconds
        self._agent_at = time.monotonic() + pause * random.uniform(0.75, 1.0)
        self._pause_seconds = min(self._pause_seconds * 2, PAUSE_SECONDS_MAX)

    def _sent_from_spool(self) -> bool:
        """Sends one file of the spool; whether there was one and it is sent."""
        self.spool.close()
        for file in self.spool.waiting(self._file_tried):
            self._file_tried = file.name  # If it cannot be sent, the others have their turn before it is tried again.
            try:
                lines: List[str] = []
                for line in file.lines():
                    lines.append(line)
                    if len(lines) >= BATCH_EVENTS_MAX:
                        if not self._delivered(lines):
                            return False
                        lines = []
                if lines and not self._delivered(lines):
                    return False
                file.remove()
                return True
            except OSError as failed:
                log.error("spool", "a file of the spool cannot be read: %s", failed)
            finally:
                file.close()
        self.is_away = False
        self._spool_at = time.monotonic() + SPOOL_SECONDS
        return False
