"""Where log lines go: a bounded queue, drained by one thread, so that a missing, full or slow sink stops nobody."""

import os
import threading
from collections import deque
from pathlib import Path

_CAPACITY = 10_000  # lines: some megabytes at most
_PAUSE_S = 0.05  # between two looks: a thread woken for each line would take the interpreter away from the work
_STDERR = 2
_MISSING = '{"event": "log lines dropped", "level": "warning", "dropped_so_far": %d}'


class Sink:
    """Takes lines and never waits. What does not fit, or cannot be written, is dropped and counted."""

    def __init__(self, path: Path | None, capacity: int = _CAPACITY) -> None:
        self._path = path
        self._capacity = capacity
        self._lines: deque[str] = deque()
        self._closing = threading.Event()
        self._file: int | None = None if path else _STDERR
        self._told = 0
        self.dropped = 0
        self.written = 0
        # A daemon: a sink that never takes a line must not keep the process alive.
        self._thread = threading.Thread(target=self._drain, name="log", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Take a line, or drop it if the queue is full."""
        if len(self._lines) < self._capacity:
            self._lines.append(line)
        else:
            self.dropped += 1

    def close(self, patience_s: float) -> None:
        """Write what is left, but wait no longer than the patience."""
        self._closing.set()
        self._thread.join(patience_s)

    def _drain(self) -> None:
        """Write lines until there are no more to come."""
        while not self._closing.wait(_PAUSE_S):
            self._write_all()
        self._write_all()

    def _write_all(self) -> None:
        """Write the lines that are here."""
        while self._lines:
            self._attempt(self._lines.popleft())

    def _attempt(self, line: str) -> None:
        """Write a line, and how many are missing before it; one that the system does not take is dropped."""
        try:
            if (missing := self.dropped) > self._told:
                self._write(_MISSING % missing)
                self._told = missing
            self._write(line)
        except OSError:
            self.dropped += 1
        else:
            self.written += 1

    def _write(self, line: str) -> None:
        """Write one whole line."""
        rest = line.encode("utf-8", "backslashreplace") + b"\n"
        while rest:
            rest = rest[os.write(self._opened(), rest) :]

    def _opened(self) -> int:
        """Return the open file; raises OSError as long as there is none to be had."""
        if self._file is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._file = os.open(str(self._path), flags, 0o600)
        return self._file
