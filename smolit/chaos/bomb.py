"""The fuse inside a process: it counts how often a point is passed, and sends the process its signal."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import msgspec

from smolit.chaos.plan import Death, Fuse, read_plan

Pass = Callable[[str], None]
Strike = Callable[[int, int], None]  # process, signal
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


class Bomb:
    """Reads its plan when told to; `passed` is called at every point."""

    def __init__(self, plan: Path, notes: Path, name: str, instance: str, strike: Strike = os.kill) -> None:
        self._plan, self._notes, self._name, self._instance, self._strike = plan, notes, name, instance, strike
        self._fuse: Fuse | None = None
        self._left = 0

    def arm(self) -> None:
        """Take the fuse that the plan holds now."""
        self._fuse = read_plan(self._plan).fuse
        self._left = self._fuse.passes if self._fuse else 0

    def passed(self, point: str) -> None:
        """Count a point; at the last one leave a note, and go."""
        fuse = self._fuse
        if fuse is None or fuse.point != point:
            return
        self._left -= 1
        if self._left <= 0:
            self._fuse = None  # who was only put to sleep goes on unharmed
            self._note(fuse)
            self._strike(os.getpid(), _SIGNALS[fuse.how])

    def _note(self, fuse: Fuse) -> None:
        """Write down where it happened, durably: one short write to a file that is only added to."""
        death = Death(os.getpid(), self._name, self._instance, fuse.point, fuse.how)
        file = os.open(self._notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, msgspec.json.encode(death) + b"\n")
            os.fsync(file)
        finally:
            os.close(file)
