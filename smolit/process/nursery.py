"""The nursery: loads what every process needs once, and forks each of them from there.

Loading takes a second of processor time or more, a fork milliseconds; what was loaded is in memory once. It reads one JSON
order per line and writes one JSON report per line; when its input ends, all its children die, also stopped ones.
`python -m smolit.process.nursery MODULE:NAME` names the brood.
"""

import gc
import os
import select
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import msgspec

from smolit.process.brood import Brood, Order, Report

_CHUNK = 65_536
_STDIN, _STDOUT, _STDERR = 0, 1, 2
_LONGEST_TITLE = 15  # bytes; the kernel keeps no more
_THREADS, _TITLE = Path("/proc/self/task"), Path("/proc/self/comm")


class Sources:
    """The files that everything loaded came from, as they were when it was loaded."""

    def __init__(self) -> None:
        files = {getattr(module, "__file__", None) for module in tuple(sys.modules.values())}
        self._known = {file: _version(file) for file in files if file is not None}

    def changed(self) -> bool:
        """Return whether one of them is another one now, or gone."""
        return any(_version(file) != known for file, known in self._known.items())


class Nursery:
    """The children of one runner or harness; nothing but this process ever waits for them."""

    def __init__(self, main: Callable[[Sequence[str]], int], sources: Sources, reports: int) -> None:
        self._main, self._sources, self._reports = main, sources, reports
        self._children: dict[int, str] = {}
        self._bell, self._rope = os.pipe()
        self._life, self._held = os.pipe()  # children read the one; the other is closed when we end, however we end

    def run(self) -> None:
        """Take orders until there are no more, then end what still lives."""
        os.set_blocking(self._rope, False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started us, who ends us in order
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._rope, warn_on_full_buffer=False)
        for line in self._lines():
            self._obey(msgspec.json.decode(line, type=Order))
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

    def _obey(self, order: Order) -> None:
        """Fork a child, unless what it would run is not what it should."""
        if order.fresh and self._sources.changed():
            tell(self._reports, Report(order.slot, 0, "stale"))
            return
        pid = os.fork()
        if pid == 0:
            self._become(order)
        self._children[pid] = order.slot
        tell(self._reports, Report(order.slot, pid, "started"))

    def _reap(self) -> None:
        """Report every child that has ended."""
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            tell(self._reports, Report(self._children.pop(pid), pid, "ended", os.waitstatus_to_exitcode(status)))

    def _become(self, order: Order) -> NoReturn:
        """Be the child from here on."""
        code = 1
        try:
            gc.enable()
            self._leave(order)
            os.environ.update(order.environment)
            code = self._main(order.arguments)
        finally:
            if error := sys.exc_info()[1]:
                traceback.print_exception(error)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _leave(self, order: Order) -> None:
        """Give back what is the nursery's: signals, group, title, and files."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.setpgid(0, 0)
        if _TITLE.exists():
            _TITLE.write_bytes(order.slot.rpartition("/")[2].encode()[:_LONGEST_TITLE])
        log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if order.log else os.dup(_STDERR)
        for source, target in ((self._life, _STDIN), (log, _STDOUT), (log, _STDERR)):
            os.dup2(source, target)
        for descriptor in (self._bell, self._rope, self._held, self._life, self._reports, log):
            os.close(descriptor)


def tell(reports: int, report: Report) -> None:
    """Write one report."""
    os.write(reports, msgspec.json.encode(report) + b"\n")


def require_alone() -> None:
    """Raise RuntimeError if anything that was loaded has started a thread: a fork copies one alone, and what the others held."""
    native = len(os.listdir(_THREADS)) if _THREADS.exists() else 1
    if native > 1 or threading.active_count() > 1:
        named = ", ".join(thread.name for thread in threading.enumerate())
        raise RuntimeError(f"the nursery cannot fork: it has {native} threads, of which Python knows {named}")


def brood_of(where: str) -> Brood:
    """Return a brood by `module:name`."""
    module, name = where.split(":")
    found: Brood = getattr(import_module(module), name)
    return found


def _version(file: str) -> tuple[int, int] | None:
    """Return what tells one version of a file from another; None where there is none."""
    try:
        known = os.stat(file)
    except OSError:
        return None
    return known.st_mtime_ns, known.st_size


def main() -> None:
    """Load everything, say so, and take orders."""
    reports = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)  # what anybody prints is no report
    gc.disable()  # nothing of what is loaded goes away again; looking for it takes a tenth of the time
    brood = brood_of(sys.argv[1])
    brood.load()
    gc.freeze()  # a child's collector would touch, and so copy, every page
    require_alone()
    for number in brood.spared:
        signal.signal(number, signal.SIG_IGN)
    tell(reports, Report("", os.getpid(), "started"))
    Nursery(brood.main, Sources(), reports).run()


if __name__ == "__main__":
    main()
