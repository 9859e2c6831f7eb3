"""The storm: deals the blows of a course to one world while work flows, and after each round waits until all is still."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import MappingProxyType

from msgspec import Struct

from smolit.chaos.check.finding import Finding
from smolit.chaos.course import Blow, Round
from smolit.chaos.scene import Scene
from smolit.chaos.takeover import on_duty, stands_by, taken_over
from smolit.process.roster import Slot
from smolit.settings import Settings
from smolit.stack import local
from smolit.stack.record import Name

PACE_S = 0.05  # between two tasks
AT_LEAST = 8  # tasks of a round
_AT_POINT_S = 5.0  # how long a point may be waited for; then the process dies where it is
_BACK_S = 60.0  # how long a dead process may take to be there again before it is hit the next time
# At least: a worker's lease runs out after 3 s, a relay's after 5, a stream's group session after 10.
_ASLEEP_S = MappingProxyType({"worker": 4.0, "relay": 6.0, "learning": 12.0, "intake": 12.0})
_TAKEOVER_S = 60.0
_LOOK_S = 0.3
_WAKING_S = 15.0  # how long one that was taken over from may take to notice
_FENCED = ("relay", "learning", "intake")  # these must end; a worker may go on: what it held is another's, and it is told so
_STANDBYS = (Slot("relay", "2"), Slot("learning", "2"), Slot("intake", "2"))


class Struck(Struct, frozen=True):
    """One blow that fell: on whom, at which point (None: at any moment), and when the world was still again."""

    who: str
    point: str | None
    at_s: float
    round: int
    recover_s: float | None = None


class Slept(Struct, frozen=True):
    """One process that was stopped until another had taken over, and woke: for how long, and whether it then ended."""

    who: str
    point: str | None
    seconds: float
    ended: bool


@dataclass
class Weather:
    """What has happened so far."""

    struck: list[Struck] = field(default_factory=list)
    slept: list[Slept] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


class Storm:
    """Deals rounds; the first that does not settle in time ends it."""

    def __init__(self, scene: Scene, stack: Settings, patience_s: float, told: Callable[[str], None]) -> None:
        self._scene, self._stack, self._patience_s, self._told = scene, stack, patience_s, told
        self.weather = Weather()
        self._turn = 0  # takes turns among the instances of a process

    async def rounds(self, rounds: list[Round]) -> bool:
        """Deal all rounds; return whether each one settled."""
        for number, one in enumerate(rounds, 1):
            self._told(f"round {number} of {len(rounds)}: {', '.join(blow.name for blow in one.blows)}")
            if not await self._round(number, one):
                return False
        return True

    async def settle(self, what: str) -> float | None:
        """Wait until the world is still; if it does not become so, that is a finding."""
        still = await self._scene.still(self._patience_s)
        if still is None:
            left = "; ".join(self._scene.gauge.last)
            self.weather.findings.append(Finding("liveness", f"{what}: not still after {self._patience_s:.0f} s", 1, (left,)))
        return still

    async def _round(self, number: int, one: Round) -> bool:
        """Let work flow, deal the blows, and wait."""
        stopped = asyncio.Event()
        flow = asyncio.create_task(self._scene.load.flow(stopped, PACE_S, AT_LEAST))
        before = len(self.weather.struck)
        try:
            await self._deal(number, one)
            stopped.set()
            still = await self.settle(f"round {number}")
        finally:
            stopped.set()
            await _end(flow, still_s=1.0)
        if still is not None:
            fresh = self.weather.struck[before:]
            self.weather.struck[before:] = [_recovered(blow, still) for blow in fresh]
        return still is not None

    async def _deal(self, number: int, one: Round) -> None:
        """Deal the blows of a round."""
        match one.kind:
            case "zombies":
                await self._zombies(one)
            case "server":
                await self._server(number, one.blows[0])
            case "processes":
                for blow in one.blows:
                    await asyncio.sleep(blow.wait_s)
                    await self._process(number, blow)

    async def _process(self, number: int, blow: Blow) -> None:
        """Kill one process, at a point if it comes to it in time."""
        slot = self._slot(blow.name)
        crew = self._scene.crew
        await crew.until_alive(slot, _BACK_S)
        point = await crew.blow_up(slot, blow.fuse, _AT_POINT_S) if blow.fuse else None
        if point is None:
            crew.send(slot, signal.SIGKILL)
        self.weather.struck.append(Struck(slot.identity, point, time.monotonic(), number))

    async def _server(self, number: int, blow: Blow) -> None:
        """Kill a server, leave it dead for a moment, and start it again."""
        name: Name = "kafka" if blow.name == "kafka" else "postgres"
        await asyncio.sleep(blow.wait_s)
        await asyncio.to_thread(local.kill, self._stack, name)
        self.weather.struck.append(Struck(name, None, time.monotonic(), number))
        await asyncio.sleep(blow.away_s)
        await asyncio.to_thread(local.start, self._stack, name)

    async def _zombies(self, one: Round) -> None:
        """Put processes to sleep for longer than their leases, let standbys take over, and wake them."""
        crew = self._scene.crew
        crew.start([slot for slot in _STANDBYS if slot not in crew.slots])
        await self._until(lambda: stands_by(self._scene.world), "no standby joined")
        await asyncio.gather(*(self._lull(blow) for blow in one.blows))

    async def _lull(self, blow: Blow) -> None:
        """Put whoever is on duty to sleep; one that only stands by has nothing that could be taken over."""
        crew, world = self._scene.crew, self._scene.world
        slots = [slot for slot in crew.slots if slot.name == blow.name]
        serving: list[Slot] = []

        async def somebody() -> bool:
            serving[:] = [slot for slot in slots if await on_duty(world, slot)]
            return bool(serving)

        await self._until(somebody, f"no {blow.name} was on duty")
        if serving:
            await self._sleep(serving[0], blow)

    async def _sleep(self, slot: Slot, blow: Blow) -> None:
        """Stop one process at a point, or wherever it is if it does not come to it, and wake it much later."""
        crew = self._scene.crew
        point = blow.fuse.point if blow.fuse else None
        crew.arm(slot, blow.fuse)
        if not await crew.until_asleep(slot, _AT_POINT_S):
            point = None
            crew.arm(slot, None)
            if not await crew.stop(slot, _BACK_S):
                self.weather.findings.append(Finding("liveness", f"{slot.identity} could not be stopped", 1, ()))
                return
        began = time.monotonic()
        await asyncio.sleep(_ASLEEP_S[slot.name])
        await self._until(lambda: taken_over(self._scene.world, slot), f"nobody took over from {slot.identity}")
        seconds = time.monotonic() - began
        crew.send(slot, signal.SIGCONT)
        ended = await crew.until_gone(slot, _WAKING_S if slot.name in _FENCED else 0.0)
        if slot.name in _FENCED and not ended:
            self.weather.findings.append(Finding("zombie", "a process went on after another took over", 1, (slot.identity,)))
        self.weather.slept.append(Slept(slot.identity, point, seconds, ended))

    async def _until(self, done: Callable[[], Awaitable[bool]], otherwise: str) -> None:
        """Wait until something has come about; that it does not is a finding."""
        end = time.monotonic() + _TAKEOVER_S
        while time.monotonic() < end:
            if await done():
                return
            await asyncio.sleep(_LOOK_S)
        self.weather.findings.append(Finding("liveness", otherwise, 1, (f"within {_TAKEOVER_S:.0f} s",)))

    def _slot(self, name: str) -> Slot:
        """Return the next instance of a process."""
        instances = [slot for slot in self._scene.crew.slots if slot.name == name]
        self._turn += 1
        return instances[self._turn % len(instances)]


def _recovered(blow: Struck, still: float) -> Struck:
    return Struck(blow.who, blow.point, blow.at_s, blow.round, max(0.0, still - blow.at_s))


async def _end(flow: "asyncio.Task[None]", still_s: float) -> None:
    """Take the flow's result; one that hangs, after a round that did not settle, is cancelled."""
    done, _ = await asyncio.wait({flow}, timeout=still_s)
    if not done:
        flow.cancel()
    await asyncio.gather(flow, return_exceptions=not done)
