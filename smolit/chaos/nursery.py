"""The nursery: loads what every process needs once, and forks each of them from there.

Loading takes seconds of processor time, a fork milliseconds, and the harness starts hundreds of processes. It reads one
JSON order per line and writes one JSON report per line; when its input ends, all its children die, also stopped ones.
"""

import gc
import os
import select
import signal
import sys
import traceback
from collections.abc import Iterator
from importlib import import_module
from typing import Literal

import msgspec
from msgspec import Struct

from smolit.chaos import child
from smolit.process.roster import PROCESSES

_CHUNK = 65_536
_STDIN, _STDOUT, _STDERR = 0, 1, 2


class Order(Struct, frozen=True):
    """Start a process: its arguments, what its environment has beside ours, and the file that its output is added to."""

    slot: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    log: str


class Report(Struct, frozen=True):
    """What happened to a process; `status` is its exit code, or minus the signal that ended it."""

    slot: str
    pid: int
    what: Literal["started", "ended"]
    status: int = 0


class Nursery:
    """The children of one harness; nothing but this process ever waits for them."""

    def __init__(self) -> None:
        self._children: dict[int, str] = {}
        self._bell, self._rope = os.pipe()
        self._life, self._held = os.pipe()  # children read the one; the other is closed when we end, however we end

    def run(self) -> None:
        """Take orders until there are no more, then end what still lives."""
        os.set_blocking(self._rope, False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the harness, which ends us in order
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # a child that is not ready for it yet must not die of it
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._rope, warn_on_full_buffer=False)
        for line in self._lines():
            self._start(msgspec.json.decode(line, type=Order))
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)

    def _lines(self) -> Iterator[bytes]:
        """Yield orders as they come, and report who ended meanwhile."""
        rest = b""
        while True:
            ready, _, _ = select.select([_STDIN, self._bell], [], [])
            if self._bell in ready:
                os.read(self._bell, _CHUNK)
                self._reap()
            if _STDIN in ready:
                chunk = os.read(_STDIN, _CHUNK)
                if not chunk:
                    return
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines

    def _start(self, order: Order) -> None:
        """Fork a child."""
        pid = os.fork()
        if pid == 0:
            _become(order, self._life, (self._bell, self._rope, self._held))
        self._children[pid] = order.slot
        _tell(Report(order.slot, pid, "started"))

    def _reap(self) -> None:
        """Report every child that has ended."""
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            _tell(Report(self._children.pop(pid), pid, "ended", os.waitstatus_to_exitcode(status)))


def _become(order: Order, life: int, ours: tuple[int, ...]) -> None:
    """Be the child from here on; never returns."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.setpgid(0, 0)
        log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for source, target in ((life, _STDIN), (log, _STDOUT), (log, _STDERR)):
            os.dup2(source, target)
        for descriptor in (*ours, life, log):
            os.close(descriptor)
        os.environ.update(order.environment)
        code = child.main(order.arguments)
    finally:
        if error := sys.exc_info()[1]:
            traceback.print_exception(error)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _tell(report: Report) -> None:
    """Write one report."""
    os.write(_STDOUT, msgspec.json.encode(report) + b"\n")


def main() -> None:
    """Load everything, say so, and take orders."""
    for name in PROCESSES:
        import_module(f"smolit.process.parts.{name}")
    gc.collect()
    gc.freeze()
    _tell(Report("", os.getpid(), "started"))
    Nursery().run()


if __name__ == "__main__":
    main()
