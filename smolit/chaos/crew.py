"""The crew of one world: starts its processes, starts again what dies, and deals the blows."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import psutil

from smolit.chaos.plan import NOTES, Death, Fuse, Plan, write_plan
from smolit.chaos.world import World
from smolit.process.brood import Order, Report
from smolit.process.nurse import Nurse
from smolit.process.roster import Slot

_BREATH_S = 0.5  # before one is started again that died at once: its server may be away
_POLL_S = 0.02
PLANS, LOGS = "plans", "logs"


@dataclass
class Member:
    """One process that the crew keeps alive: which system process it is now, and how often it was started."""

    slot: Slot
    bug: str | None = None
    wanted: bool = True
    pid: int | None = None
    began: float = 0.0
    starts: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)


class Crew:
    """Keeps the processes of a world alive; an identity is used again only after its old process was waited for."""

    def __init__(self, nurse: Nurse, world: World, environment: dict[str, str] | None = None) -> None:
        self._nurse, self._world = nurse, world
        self._environment = world.environment() | (environment or {})
        self._members: dict[Slot, Member] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self.ended: list[tuple[Slot, int]] = []
        for folder in (PLANS, LOGS):
            (world.folder / folder).mkdir(exist_ok=True)

    def start(self, slots: Sequence[Slot], bugs: dict[str, str] | None = None) -> None:
        """Start processes; `bugs` are planted by process name."""
        for slot in slots:
            member = self._members[slot] = Member(slot, (bugs or {}).get(slot.name))
            self._spawn(member)

    @property
    def slots(self) -> list[Slot]:
        """Return the processes that are kept alive, sorted."""
        return sorted(slot for slot, member in self._members.items() if member.wanted)

    def starts(self, slot: Slot) -> int:
        """Return how often the process was started."""
        return self._members[slot].starts

    def send(self, slot: Slot, how: signal.Signals) -> int | None:
        """Send a signal at once; return the system process that got it, if there was one."""
        pid = self._members[slot].pid
        if pid is None:
            return None
        with suppress(ProcessLookupError):
            os.kill(pid, how)
        return pid

    def arm(self, slot: Slot, fuse: Fuse | None) -> None:
        """Lay a fuse in a running process, or take it out."""
        member = self._members[slot]
        write_plan(self._plan(slot), Plan(fuse, member.bug))
        self.send(slot, signal.SIGUSR1)

    async def blow_up(self, slot: Slot, fuse: Fuse, patience_s: float) -> str | None:
        """Lay a fuse and wait until it has killed the process; None: it did not come to the point, and was not touched."""
        self.arm(slot, fuse)
        if await self.until_gone(slot, patience_s):
            return fuse.point
        self.arm(slot, None)
        return None

    async def until_alive(self, slot: Slot, patience_s: float) -> bool:
        """Wait until the process runs; return whether it did in time."""
        return await _until(lambda: self._members[slot].pid is not None, patience_s)

    async def until_gone(self, slot: Slot, patience_s: float) -> bool:
        """Wait until the process that runs now has ended; return whether it did in time."""
        member = self._members[slot]
        if member.pid is None:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await member.gone.wait()
        return member.gone.is_set()

    async def until_asleep(self, slot: Slot, patience_s: float) -> bool:
        """Wait until the process that runs now has stopped itself; return whether it did in time."""
        return await _until(lambda: self._is_asleep(slot), patience_s)

    async def stop(self, slot: Slot, patience_s: float) -> bool:
        """Stop a process wherever it is, also one that is only coming back; return whether it stands still."""
        return await _until(lambda: self._stopped(slot), patience_s)

    async def dismiss(self, slots: Sequence[Slot]) -> None:
        """Kill processes for good, and wait for them."""
        for slot in slots:
            self._members[slot].wanted = False
            self.send(slot, signal.SIGKILL)
        for slot in slots:
            await self.until_gone(slot, patience_s=20.0)

    async def close(self) -> None:
        """Kill everything for good."""
        await self.dismiss(self.slots)
        for timer in self._timers:
            timer.cancel()

    def deaths(self) -> list[Death]:
        """Return the notes that processes left before they died or fell asleep at a point."""
        path = self._world.folder / PLANS / NOTES
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [msgspec.json.decode(line, type=Death) for line in lines]

    def _plan(self, slot: Slot) -> Path:
        return self._world.folder / PLANS / f"{slot.identity}.json"

    def _spawn(self, member: Member) -> None:
        """Order a process, without a fuse: one that was killed by its own would meet it again."""
        if not member.wanted:
            return
        write_plan(self._plan(member.slot), Plan(bug=member.bug))
        member.gone = asyncio.Event()
        slot = member.slot
        order = Order(
            slot=f"{self._world.name}/{slot.identity}",
            arguments=(slot.name, "--instance", slot.instance, "--plan", str(self._plan(slot))),
            environment=self._environment,
            log=str(self._world.folder / LOGS / f"{slot.identity}.log"),
        )
        self._nurse.order(order, lambda report: self._heard(member, report))

    def _heard(self, member: Member, report: Report) -> None:
        """Note that a process started, or start it again when it ended."""
        if report.what == "started":
            member.pid, member.began, member.starts = report.pid, time.monotonic(), member.starts + 1
            if not member.wanted:
                self.send(member.slot, signal.SIGKILL)
            return
        member.pid = None
        member.gone.set()
        self.ended.append((member.slot, report.status))
        wait_s = 0.0 if time.monotonic() - member.began > _BREATH_S * 2 else _BREATH_S
        self._timers.add(asyncio.get_running_loop().call_later(wait_s, self._spawn, member))

    def _stopped(self, slot: Slot) -> bool:
        """Send the signal again until it has worked: before, there may have been no process, or another one."""
        self.send(slot, signal.SIGSTOP)
        return self._is_asleep(slot)

    def _is_asleep(self, slot: Slot) -> bool:
        pid = self._members[slot].pid
        try:
            return pid is not None and psutil.Process(pid).status() == psutil.STATUS_STOPPED
        except psutil.NoSuchProcess:
            return False


async def _until(done: Callable[[], bool], patience_s: float) -> bool:
    """Wait until a condition holds; return whether it did in time."""
    end = time.monotonic() + patience_s
    while not done():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(_POLL_S)
    return True
