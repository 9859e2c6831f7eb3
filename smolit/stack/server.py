"""What starting and stopping has in common for both servers: find it running, else choose ports, launch, wait."""

import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import psutil

from smolit.errors import ServerFailed
from smolit.stack import process
from smolit.stack.port import choose_ports, is_free
from smolit.stack.record import Name, StackRecord, with_server, write_record

Progress = Callable[[str], None]

_LAUNCHES = 3  # a port that was free when it was chosen may be taken when the server asks for it
_PORTS_S = 2.0
_TAIL = 600  # characters of a log in an error


class Server(Protocol):
    """A local server, before it is known whether it runs."""

    @property
    def name(self) -> Name:
        """Which of the two it is."""

    @property
    def wanted(self) -> tuple[int, ...]:
        """The ports it would like; the first is the clients'."""

    @property
    def mark(self) -> str:
        """The argument by which its process is known."""

    @property
    def stop_with(self) -> signal.Signals:
        """The signal that asks it to end in good order."""

    def prepare(self, ports: tuple[int, ...]) -> None:
        """Make everything ready for a launch on these ports."""

    def launch(self, ports: tuple[int, ...], log: Path) -> int:
        """Start it and return its process id."""

    def answers(self, ports: tuple[int, ...]) -> bool:
        """Return whether it serves."""

    def port_was_taken(self, said: str) -> bool:
        """Return whether its log blames a port in use."""


def begin(server: Server, folder: Path, record: StackRecord) -> StackRecord:
    """Find the server running, or launch it without waiting; the record is written before and after."""
    known = record.server(server.name)
    running = process.find(server.mark, known.pid)
    if running:
        return _note(record, server, folder, pid=running.pid)
    server.prepare(ports := _choose_ports(server, known.ports))
    record = _note(record, server, folder, pid=0, ports=ports)
    return _note(record, server, folder, pid=server.launch(ports, _fresh_log(server, folder)))


def _choose_ports(server: Server, kept: tuple[int, ...]) -> tuple[int, ...]:
    """Return the ports to launch on: clients remember the kept ones, so those are given a moment to become free."""
    process.wait_until(lambda: all(is_free(port) for port in kept), _PORTS_S)
    return choose_ports(server.wanted, kept or (0,) * len(server.wanted), random.SystemRandom())


def finish(server: Server, folder: Path, record: StackRecord, patience_s: float) -> StackRecord:
    """Wait until the server serves; launch it again on other ports if it lost one. Raises ServerFailed."""
    for _ in range(_LAUNCHES):
        if _settle(server, record, patience_s):
            return record
        said = log_path(server, folder).read_text(errors="replace")[-_TAIL:]
        if not server.port_was_taken(said):
            raise ServerFailed(f"{server.name} ended while it was started; its log ends: {said.strip()}")
        record = begin(server, folder, record)
    raise ServerFailed(f"{server.name} found no free port in {_LAUNCHES} attempts.")


def _settle(server: Server, record: StackRecord, patience_s: float) -> bool:
    """Return whether the launched server serves; False once it has ended. Raises ServerFailed when time is up."""
    known = record.server(server.name)
    launched = psutil.Process(known.pid) if psutil.pid_exists(known.pid) else None
    answered = False

    def settled() -> bool:
        nonlocal answered
        answered = server.answers(known.ports)
        return answered or launched is None or not process.is_alive(launched)

    if not process.wait_until(settled, patience_s):
        raise ServerFailed(f"{server.name} (process {known.pid}) did not answer within {patience_s:g} s.")
    return answered


def _note(record: StackRecord, server: Server, folder: Path, **known: object) -> StackRecord:
    """Write down what is newly known of one server, and return the whole."""
    record = with_server(record, server.name, **known)
    write_record(folder, record)
    return record


def log_path(server: Server, folder: Path) -> Path:
    """Return where the server's output goes."""
    return folder / "logs" / f"{server.name}.log"


def _fresh_log(server: Server, folder: Path) -> Path:
    """Return the log of a new launch; the one before is set aside, so neither grows for ever."""
    path = log_path(server, folder)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if path.exists():
        path.replace(path.with_suffix(".log.1"))
    return path
