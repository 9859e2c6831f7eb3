"""A worker: claims what it has room for, does it, writes down how it went, and shows that it lives."""

import asyncio
from asyncio import Event, Task
from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from agents.errors import AgentFailed
from agents.pipeline import Timer
from events.pool import HOUSE
from handlers.attempt import Tried, attempt, failed
from handlers.count import Count
from handlers.crew import Crew
from handlers.desk import Desk
from store import claim
from store.claim import Claimed, Hold
from store.doorbell import Doorbell
from store.postgres import Connection

SOURCE = "smolit/worker"


class Shift(Struct, frozen=True):
    """How a worker works: which agents of which pool (None: all), how many attempts at a time, and its rhythm in seconds."""

    worker: str
    agents: tuple[str, ...] | None
    capacity: int
    lease_s: float = 10.0
    heartbeat_s: float = 1.0
    poll_s: float = 0.25
    grace_s: float = 20.0
    pool: str = HOUSE


class Worker:
    """What one worker is doing, and the loops that keep it going."""

    def __init__(
        self,
        shift: Shift,
        desk: Desk,
        crew: Crew,
        connection: Connection,
        clock: Callable[[], datetime],
        timer: Timer,
        count: Count,
    ) -> None:
        self._shift = shift
        self._desk = desk
        self._crew = crew
        self._connection = connection
        self._clock = clock
        self._timer = timer
        self._count = count
        self._running: dict[Hold, Task[Tried]] = {}
        self._begun: dict[Hold, tuple[Claimed, float]] = {}  # of the same, with the timer's time
        self._wake = Event()
        self._rung = False  # since the last turn
        self._offered = False  # our room, and nobody has rung since
        self._full = False  # for good

    @property
    def busy(self) -> int:
        """Return how many attempts are under way."""
        return len(self._running)

    def under_way(self) -> tuple[Hold, ...]:
        """Return what is under way and has no end yet; any thread may ask."""
        return tuple(hold for hold, task in list(self._running.items()) if not task.done())

    def take_no_more(self) -> None:
        """Claim nothing from now on; any thread may ask. Who gives back what it held would claim it again."""
        self._full = True

    def stopped(self, hold: Hold, error: AgentFailed) -> Tried | None:
        """Return how an attempt that is under way went if it ends now; any thread may ask."""
        begun = self._begun.get(hold)
        return None if begun is None else failed(begun[0], error, round((self._timer() - begun[1]) * 1_000_000))

    def fail(self, hold: Hold, error: AgentFailed) -> None:
        """Make an attempt fail, if it has no end yet; what it does in a thread goes on until that ends."""
        task = self._running.get(hold)
        if task is not None and not task.done():
            task.cancel(error)
            self._count("worker.stopped_attempt", 1)

    async def pump(self, stopped: Event) -> None:
        """Claim and end until told to stop; then end what is under way, for a while."""
        while not stopped.is_set():
            await self._turn(self._shift.capacity)
            await self._nap(self._shift.poll_s)
        await self._desk.withdraw()
        give_up = self._timer() + self._shift.grace_s
        while self._running and self._timer() < give_up:
            await self._turn(0)
            await self._nap(min(self._shift.poll_s, max(0.0, give_up - self._timer())))
        await self._leave()

    async def listen(self, doorbell: Doorbell) -> None:
        """Look whenever somebody rings."""
        while True:
            if await doorbell.wait(self._shift.lease_s):
                self._rung = True
                self._wake.set()

    async def heed(self, stopped: Event) -> None:
        """Look again when told to stop."""
        await stopped.wait()
        self._wake.set()

    async def renew(self) -> None:
        """Keep the leases of what is under way; drop what is no longer ours."""
        while True:
            await asyncio.sleep(self._shift.lease_s / 3)
            holds = [hold for hold, task in self._running.items() if not task.done()]
            kept = await claim.renew(self._connection, holds, self._shift.lease_s)
            for hold in set(holds) - kept:
                self._drop(hold)

    def _drop(self, hold: Hold) -> None:
        """Stop an attempt that was taken over, cancelled or expired; one that ended meanwhile is with the desk."""
        task = self._running.get(hold)
        if task is not None and not task.done():
            self._forget(hold)
            task.cancel()
            self._count("worker.lost_lease", 1)

    async def _turn(self, most: int) -> None:
        """Write down how finished attempts went, and take what there is room for.

        An error that is not the agent's is raised here.
        """
        rung, self._rung = self._rung, False
        self._offered = self._offered and not rung
        done = {hold: task for hold, task in self._running.items() if task.done()}
        room = 0 if self._full else min(most, self._shift.capacity - len(self._running) + len(done))
        if done or (room > 0 and await self._worth_a_claim(rung)):
            room -= await self._claim_and_end(done, room)
        if rung and room <= 0:
            await self._desk.pass_on()

    async def _worth_a_claim(self, rung: bool) -> bool:
        """Say whether to claim without an end to write: to find what was queued, or to offer our room."""
        return rung or not self._offered or await self._desk.any_queued()

    async def _claim_and_end(self, done: dict[Hold, Task[Tried]], room: int) -> int:
        """Do a turn at the desk; return how many attempts were taken."""
        turn = await self._desk.turn([task.result() for task in done.values()], self._shift.agents, room)
        for hold in done:
            self._forget(hold)
        for one in turn.claimed:
            self._running[one.hold] = self._start(one)
        for outcome in turn.outcomes:
            self._count(f"worker.{outcome}", 1)
        self._count("worker.claimed", len(turn.claimed))
        if len(turn.claimed) < room and not self._offered:
            self._offered = True
            await self._look_again()
        return len(turn.claimed)

    async def _look_again(self) -> None:
        """Make the next turn come at once if something was queued before others could see our offer."""
        if await self._desk.any_queued():
            self._wake.set()

    def _forget(self, hold: Hold) -> None:
        """Have no more to do with an attempt."""
        del self._running[hold]
        self._begun.pop(hold, None)

    def _start(self, one: Claimed) -> Task[Tried]:
        """Start an attempt; its end wakes the pump."""
        self._begun[one.hold] = (one, self._timer())
        task = asyncio.create_task(attempt(one, self._crew.work(one), self._timer, self._clock()))
        task.add_done_callback(lambda _: self._wake.set())
        return task

    async def _leave(self) -> None:
        """Give back what did not end in time."""
        await self._turn(0)
        for task in self._running.values():
            task.cancel()
        self._count("worker.gave_back", await self._desk.give_back(list(self._running)))
        self._running.clear()
        self._begun.clear()

    async def _nap(self, timeout_s: float) -> None:
        """Wait until there may be something to do."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()
