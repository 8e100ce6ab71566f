"""A folder of files of JSON lines, where events wait for the agent. Any process may send what is in it.

A file is written by one process and locked (`flock`) while it is open, so others touch only files whose writer has closed them or
is dead; where a file system has no locks, each write is a file of its own. Whoever sends a file holds the same lock, and removes
the file afterwards. A crash between the two sends events again, which the agent counts once. A last line that was torn by a crash
is left out, and so is any other line that is no JSON object.

Each line is an event as `POST /costs` takes it; by hand: `curl -H 'Content-Type: application/x-ndjson' --data-binary @FILE …`.

Limits: a file ends after FILE_BYTES_MAX, the folder is full at SPOOL_BYTES_MAX.
"""

import contextlib
import errno
import os
import stat
import tempfile
import threading
import time
import uuid
from typing import Callable, Iterator, List, NamedTuple, Optional

from . import log
from .events import told

try:
    import fcntl
except ImportError:  # Windows: files are not shared there while their writer lives.
    fcntl = None  # type: ignore[assignment]

FILE_BYTES_MAX = 1 << 20
SPOOL_BYTES_MAX = 1 << 30
LINE_BYTES_MAX = 1 << 20
LOCK_SECONDS_MAX = 2.0
#: How often the size of the folder is looked at.
SIZE_SECONDS = 5.0
NAMES_TRIED_MAX = 4
#: Where there are no locks, a file that did not change for so long is nobody's.
LOCKLESS_SECONDS = 5.0
ENDING = ".jsonl"


class _Open(NamedTuple):
    path: str
    descriptor: int


class Spool:
    """All methods may be called from any thread; none of them raises `OSError`."""

    def __init__(self, choose: Callable[[], Optional[str]]):
        """`choose` names the folder once it is needed, or None for the usual one."""
        self.chosen = choose
        self._folder: Optional[str] = None
        self._lock = threading.Lock()
        self._file: Optional[_Open] = None
        self._written = 0
        self._is_shared = True
        self._measured = (float("-inf"), 0)

    @property
    def folder(self) -> str:
        if self._folder is None:
            # The process may change its working folder later.
            self._folder = os.path.abspath(os.path.expanduser(self.chosen() or usual_folder()))
        return self._folder

    def move(self, choose: Callable[[], Optional[str]]) -> None:
        """To another folder. What is in the old one stays there for the next process that uses it."""
        self.close()
        self.chosen, self._folder = choose, None

    def append(self, lines: List[str], synced: bool = False) -> bool:
        """Whether all of the lines are in the folder now. If not, none is. `synced`: also if the power fails."""
        content = "".join(line + "\n" for line in lines).encode("utf-8", "replace")
        try:
            with self._held():
                self._write(content)
            return self.sync() if synced else True
        except OSError as failed:
            log.error("spool", "the spool %s cannot be written, events wait in memory: %s", self.folder, failed.strerror or failed)
            return False

    def sync(self) -> bool:
        """Whether what was appended survives also a loss of power. Files that ended do already."""
        try:
            with self._held():
                descriptor = os.dup(self._file.descriptor) if self._file else None
            if descriptor is not None:
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            return True
        except OSError as failed:
            log.error("spool", "the spool %s cannot be synced: %s", self.folder, failed.strerror or failed)
            return False

    def close(self) -> None:
        """Ends the file, so that it can be sent."""
        try:
            with self._held():
                self._end()
        except OSError:
            pass

    def abandon(self) -> None:
        """In a forked child: the file and its lock are the parent's, who has both still open."""
        self._lock = threading.Lock()
        file, self._file = self._file, None
        if file is not None:
            try:
                os.close(file.descriptor)
            except OSError:
                pass

    def is_empty(self) -> bool:
        """Whether there is nothing at all, also nothing that others write."""
        return not self._names()

    def waiting(self, last: str = "") -> Iterator["Waiting"]:
        """The files that nobody writes or sends, oldest first, but those up to `last` at the end. Each is this process's until it
        is closed."""
        names = self._names()
        for name in [name for name in names if name > last] + [name for name in names if name <= last]:
            claimed = Waiting.claim(os.path.join(self.folder, name))
            if claimed is not None:
                yield claimed

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """The lock; not for ever, since a thread that the interpreter's end has frozen may have it."""
        if not self._lock.acquire(timeout=LOCK_SECONDS_MAX):
            raise OSError(errno.EBUSY, "another thread does not come back from writing to it")
        try:
            yield
        finally:
            self._lock.release()

    def _names(self) -> List[str]:
        try:
            return sorted(name for name in os.listdir(self.folder) if name.endswith(ENDING))
        except OSError:
            return []

    def _write(self, content: bytes) -> None:
        if self._file is None:
            self._begin()
        file = self._file
        assert file is not None
        if self._size() + len(content) > SPOOL_BYTES_MAX:
            raise OSError(errno.ENOSPC, f"it has {SPOOL_BYTES_MAX >> 20} MiB")
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[os.write(file.descriptor, rest) :]
        except OSError:
            self._undo(file)
            raise
        self._written += len(content)
        if self._written >= FILE_BYTES_MAX or not self._is_shared:
            self._end()

    def _undo(self, file: _Open) -> None:
        """Takes a part of a write back. Where even that fails the file has a torn last line, and the next one is another file."""
        try:
            os.ftruncate(file.descriptor, self._written)
        except OSError:
            pass
        self._end()

    def _begin(self) -> None:
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        for _ in range(NAMES_TRIED_MAX):
            name = f"{time.time_ns() // 1000:020}-{os.getpid()}-{uuid.uuid4().hex[:8]}{ENDING}"
            path = os.path.join(self.folder, name)
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                lock = _lock(descriptor)
                # Until it was locked it looked abandoned: another process may have taken the empty file and removed it.
                if lock != "taken" and os.stat(path).st_ino == os.fstat(descriptor).st_ino:
                    self._file, self._written, self._is_shared = _Open(path, descriptor), 0, lock == "ours"
                    return
            except OSError:
                pass
            os.close(descriptor)
        raise OSError(errno.EBUSY, "others take its files away")

    def _end(self) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        try:
            if os.fstat(file.descriptor).st_size == 0:
                os.unlink(file.path)
            else:
                os.fsync(file.descriptor)
        except OSError:
            pass
        try:
            os.close(file.descriptor)
        except OSError:
            pass  # Some file systems report a full disk only now; the lines that were synced are there.

    def _size(self) -> int:
        """Bytes in the folder, as of a moment ago."""
        since, size = self._measured
        if time.monotonic() - since >= SIZE_SECONDS:
            size = 0
            try:
                with os.scandir(self.folder) as entries:
                    size = sum(entry.stat().st_size for entry in entries)
            except OSError:
                pass
            self._measured = (time.monotonic(), size)
        return size


class Waiting:
    """A file that waits to be sent, locked by this process."""

    def __init__(self, path: str, descriptor: int):
        self.path, self.name, self._descriptor = path, os.path.basename(path), descriptor

    @classmethod
    def claim(cls, path: str) -> Optional["Waiting"]:
        try:
            descriptor = os.open(path, os.O_RDWR)
        except OSError:
            return None
        try:
            lock, there = _lock(descriptor), os.fstat(descriptor)
            settled = lock == "ours" or (lock == "none" and time.time() - there.st_mtime > LOCKLESS_SECONDS)
            # Between the listing and the lock another process may have sent and removed it.
            if settled and stat.S_ISREG(there.st_mode) and os.stat(path).st_ino == there.st_ino:
                return cls(path, descriptor)
        except OSError:
            pass
        os.close(descriptor)
        return None

    def lines(self) -> Iterator[str]:
        """The events in it."""
        torn = 0
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            file.seek(0)
            for raw in iter(lambda: file.readline(LINE_BYTES_MAX), b""):
                line = _text(raw)
                if line is None or (line and told(line) is None):
                    torn += 1
                elif line:
                    yield line
        if torn:
            log.warning("torn", "%d lines in %s are no events and are left out", torn, self.path)

    def remove(self) -> None:
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass
        except OSError as failed:
            log.error("spool", "a file of the spool that was sent cannot be removed: %s", failed)

    def close(self) -> None:
        try:
            os.close(self._descriptor)
        except OSError:
            pass


def _lock(descriptor: int) -> str:
    """"ours", "taken", or "none" where there are no locks, as on some network file systems."""
    if fcntl is None:
        return "none"
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return "ours"
    except OSError as failed:
        return "taken" if failed.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EINTR) else "none"


def _text(raw: bytes) -> Optional[str]:
    try:
        return raw.decode().strip()
    except UnicodeDecodeError:
        return None


def usual_folders() -> List[str]:
    """Where the spool is if nobody says: with the state of this user's programs, else with the temporary files."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    user = os.getuid() if hasattr(os, "getuid") else 0
    temporary = os.path.join(tempfile.gettempdir(), f"lead-factory-metrics-{user}")
    return [os.path.join(state, "lead-factory-metrics", "spool")] * os.path.isabs(state) + [temporary]


def usual_folder() -> str:
    """The first of them that this user owns and can write to."""
    folder = ""
    for folder in usual_folders():
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            there = os.lstat(folder)
            # Among the temporary files anybody may have made a folder of that name.
            is_own = not hasattr(os, "getuid") or there.st_uid == os.getuid()
            if stat.S_ISDIR(there.st_mode) and is_own and os.access(folder, os.W_OK | os.X_OK):
                return folder
        except OSError:
            pass
    try:
        return tempfile.mkdtemp(prefix="lead-factory-metrics-")
    except OSError:
        return folder
