"""Around every process: logs, health, signals, identity, and an exit code that tells how it ended."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, NoReturn

from filelock import FileLock, Timeout

from smolit.errors import ProcessRunning
from smolit.folder import claim
from smolit.process import log, record
from smolit.process.log import Who
from smolit.process.runnable import Runnable
from smolit.settings import Settings

if TYPE_CHECKING:
    from smolit.process.health import Lines

OK, FAILED = 0, 1
# Where cores are scarce, the choice goes first, then what the next choice learns from, then the work, then what is read later.
NICENESS = MappingProxyType(
    {"learning": 8, "relay": 8, "dispatch": 15, "worker": 15, "selection": 15, "llm": 15, "ingest": 19, "projections": 19}
)
_AT_ONCE = 130
_STDIN, _STDERR = 0, 2


@dataclass(frozen=True)
class Shell:
    """One process to be run: who it is, how it is made, and secrets that it holds beside those in settings."""

    settings: Settings
    who: Who
    make: Callable[[], Runnable]
    secrets: frozenset[str] = frozenset()


def main_of(shell: Shell, until_eof: bool = False) -> int:
    """Run a process to its end and return its exit code; `until_eof`: it dies with whoever holds its standard input.

    The first SIGTERM or SIGINT asks it to end what is under way; the second ends it at once.
    """
    keep_standard_streams()
    if until_eof:
        die_with_parent()
    return supervised(shell.settings, shell.who, shell.secrets, lambda lines: _run(shell, lines))


def supervised(settings: Settings, who: Who, secrets: frozenset[str], body: "Callable[[Lines], None]") -> int:
    """Run a body under its log and return the exit code; a named error is one line, another one has its traceback."""
    with log.started(settings, who, secrets) as lines:
        try:
            body(lines)
        except Exception as error:  # noqa: BLE001 the outermost edge of a process: nobody above could answer
            _tell_failure(error)
            return FAILED
        log.bind().info("stopped")
        return OK


def end_at_once(error: Exception) -> NoReturn:
    """End this process as one that failed, saying why, without its clean stop: for who may not do anything more."""
    _tell_failure(error)
    log.last_words()
    os._exit(FAILED)


def _tell_failure(error: Exception) -> None:
    """Write one clear line of a named error; only what nobody foresaw brings its traceback."""
    from smolit.process.fault import sentence  # the homes of all errors: a process that does not fail need not load them

    told = sentence(error)
    if told is None:
        log.bind().error("stopped by a mistake in the program", reason=type(error).__name__, exc_info=error)
    else:
        log.bind().error("stopped", reason=type(error).__name__, detail=told)


def _run(shell: Shell, lines: "Lines") -> None:
    """Hold the identity, and live."""
    with alone(shell.settings, shell.who):
        os.nice(NICENESS.get(shell.who.component, 0))
        asyncio.run(_live(shell, lines))


def keep_standard_streams() -> None:
    """Fill closed standard streams: else the next file or socket would get their number, and be written to as if it were them."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(descriptor)


async def _live(shell: Shell, lines: "Lines") -> None:
    """Build it, answer for it, run it."""
    from smolit.process.health import Health, served  # aiohttp takes 0.1 s, and the runner answers nobody

    stopped = asyncio.Event()
    _on_signals(stopped)
    runnable = shell.make()
    health = Health(shell.who, runnable, lines, datetime.now(UTC))
    async with served(health, shell.settings.health_port) as port:
        mine = record.ours(shell.who.component, shell.who.instance, port)
        record.write(shell.settings.data_dir, mine)
        log.bind().info("started", pid=mine.pid, port=port)
        try:
            await runnable.run(stopped)
        finally:
            record.remove(shell.settings.data_dir, mine)


@contextmanager
def alone(settings: Settings, who: Who) -> Iterator[None]:
    """Hold the identity alone; the system frees it with the process, however it ends. Raises ProcessRunning."""
    claim(settings.data_dir)
    name = record.identity(who.component, who.instance)
    lock = FileLock(settings.data_dir / record.FOLDER / f"{name}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ProcessRunning(f"{name} runs already; `smolit status` shows it.") from None
    try:
        yield
    finally:
        lock.release()


def _on_signals(stopped: asyncio.Event) -> None:
    """Set the flag at the first signal, end at once at the second."""

    def heard() -> None:
        if stopped.is_set():
            os._exit(_AT_ONCE)
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, heard)


def die_with_parent() -> None:
    """End at once when standard input ends: whoever started us holds it open as long as it lives."""
    threading.Thread(target=_watch_parent, name="parent", daemon=True).start()


def _watch_parent() -> None:
    """Read until there is nothing more to come."""
    while os.read(_STDIN, 4096):
        pass
    os._exit(FAILED)
