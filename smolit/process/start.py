"""The two ways to start a process for the runner: forked by a nursery, or a new interpreter that loads everything itself."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import psutil

from smolit.errors import NurseryLost
from smolit.process import log
from smolit.process.brood import Order, Report
from smolit.process.nurse import Nurse
from smolit.process.roster import Slot, arguments, argv, environment
from smolit.settings import Settings

_BORN_S = 60.0
# Elsewhere system libraries may have begun threads that nobody sees, and a fork of those is a gamble.
FORKS = sys.platform == "linux"
Command = Callable[[Slot], list[str]]
Arguments = Callable[[Slot], Sequence[str]]


class Child(Protocol):
    """A process that was started."""

    @property
    def pid(self) -> int:
        """The system process."""

    def send_signal(self, how: int, /) -> None:
        """Send a signal; raises ProcessLookupError if the process has ended."""

    async def wait(self) -> int | None:
        """Wait until it has ended and return its exit code, or minus the signal; None: it went with its nursery."""


class Starter(Protocol):
    """Starts processes."""

    def warm(self) -> None:
        """Load ahead what can be loaded before the first start."""

    async def start(self, slot: Slot) -> Child:
        """Start a process; raises NurseryLost."""

    def kill(self) -> None:
        """End at once what stands between us and the processes; they end with it."""

    async def close(self) -> None:
        """Give back what was loaded; no process is left."""


class ByExec:
    """Each process is a new interpreter; it dies with us, since we hold its standard input."""

    def __init__(self, command: Command, environment: Mapping[str, str]) -> None:
        self._command, self._environment = command, environment

    def warm(self) -> None:
        """There is nothing to load."""

    async def start(self, slot: Slot) -> Child:
        """Start a process."""
        return await asyncio.create_subprocess_exec(
            *self._command(slot), stdin=PIPE, process_group=0, env=dict(self._environment)
        )

    def kill(self) -> None:
        """Nothing stands between us."""

    async def close(self) -> None:
        """There is nothing to give back."""


class Forked:
    """A process that a nursery forked, as far as we were told of it."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.born: asyncio.Future[Report] = loop.create_future()
        self._ended: asyncio.Future[int | None] = loop.create_future()
        self._process: psutil.Process | None = None

    @property
    def pid(self) -> int:
        """The system process."""
        return self.born.result().pid

    def send_signal(self, number: int, /) -> None:
        """Send a signal to this very process, and to no later one of its number; raises ProcessLookupError."""
        if self._process is None or self._ended.done():
            raise ProcessLookupError
        try:
            self._process.send_signal(number)
        except psutil.NoSuchProcess as gone:
            raise ProcessLookupError from gone

    async def wait(self) -> int | None:
        """Wait until it has ended."""
        return await asyncio.shield(self._ended)

    def hear(self, report: Report) -> None:
        """Take in what the nursery reports."""
        if not self.born.done():
            self.born.set_result(report)
            if report.what == "started":
                self._process = _process(report.pid)
                return
        if report.what in ("ended", "lost"):
            self._ended.set_result(report.status if report.what == "ended" else None)


class ByFork:
    """A nursery forks each process; another nursery takes over when it is lost, or the code was changed since it loaded."""

    def __init__(self, brood: str, arguments: Arguments, environment: Mapping[str, str]) -> None:
        self._brood, self._arguments, self._environment = brood, arguments, environment
        self._nursing: asyncio.Task[Nurse] | None = None
        self._nurses: list[Nurse] = []

    def warm(self) -> None:
        """Have everything loaded."""
        self._nursing = asyncio.create_task(self._begin())

    async def start(self, slot: Slot) -> Child:
        """Have a process forked; raises NurseryLost."""
        while True:
            nurse = await self._nurse()
            child = Forked()
            nurse.order(Order(slot.identity, tuple(self._arguments(slot)), fresh=True), child.hear)
            match (await self._birth(nurse, child)).what:
                case "started":
                    return child
                case "stale":
                    self._replace(nurse)
                case _:
                    raise NurseryLost("the nursery ended before the process began")

    def kill(self) -> None:
        """End every nursery at once."""
        for nurse in self._nurses:
            nurse.kill()

    async def close(self) -> None:
        """End every nursery."""
        if self._nursing is not None:
            self._nursing.cancel()
            await asyncio.gather(self._nursing, return_exceptions=True)
        await asyncio.gather(*(nurse.stop() for nurse in self._nurses))

    async def _nurse(self) -> Nurse:
        """Return a nurse who takes orders; raises NurseryLost."""
        if self._nursing is None or (self._nursing.done() and not _serves(self._nursing)):
            self._nursing = asyncio.create_task(self._begin())
        return await asyncio.shield(self._nursing)

    async def _begin(self) -> Nurse:
        """Begin a nursery, and forget those that have ended."""
        for one in [one for one in self._nurses if one.ended is not None]:
            self._nurses.remove(one)
            if one.lost:
                log.bind().warning(f"the nursery {one.pid} ended ({one.ended}), and its processes with it; another one begins")
        nurse = Nurse(self._brood, self._environment)
        self._nurses.append(nurse)
        await nurse.start()
        return nurse

    async def _birth(self, nurse: Nurse, child: Forked) -> Report:
        """Wait for the first word of a child; a nursery that gives none in time stands still, and is ended."""
        try:
            async with asyncio.timeout(_BORN_S):
                return await asyncio.shield(child.born)
        except TimeoutError:
            nurse.kill()
            return await child.born

    def _replace(self, nurse: Nurse) -> None:
        """Let another nursery take the orders; several may have been told at the same time that this one is stale."""
        if nurse.serves:
            log.bind().info("what the processes run was changed; it is loaded anew")
            nurse.retire()


def starter(settings: Settings, environ: Mapping[str, str]) -> Starter:
    """Return how the processes of smolit are started on this platform."""
    given = environment(settings, environ)
    return ByFork("smolit.process.child:BROOD", arguments, given) if FORKS else ByExec(argv, given)


def _serves(nursing: "asyncio.Task[Nurse]") -> bool:
    """Return whether a nursery loaded, and takes orders."""
    return not nursing.cancelled() and nursing.exception() is None and nursing.result().serves


def _process(pid: int) -> psutil.Process | None:
    """Return a process, unless it has ended already."""
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def how_ended(code: int | None) -> str:
    """Say how a process ended: by its exit code, or minus the signal; None: it went with its nursery."""
    if code is None:
        return "went with its nursery"
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
