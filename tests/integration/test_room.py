"""Rings on a real Postgres: who has room is woken, no more of them than there is work for, and nothing waits for the dead."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import httpx

from agents.pipeline import Toolbox
from handlers.attempt import Tried
from handlers.crew import Crew
from handlers.desk import Desk, Turn
from handlers.dispatch import Retry
from handlers.worker import Shift, Worker
from learning.outcomes import Outcomes
from store import room
from store.doorbell import Doorbell
from store.postgres import connect
from tests.integration.hands_kit import Floor, asked, chose, done, floor, now
from tests.integration.test_work_processes import COMPLETED, OFFERED, orders, queue, rounds_of, shop, until, worker
from tests.said import PATIENCE_S
from tests.stacks import Namespace


@asynccontextmanager
async def bells(hall: Floor, *workers: str) -> AsyncIterator[dict[str, Doorbell]]:
    """Install the doorbells of workers."""
    installed = {worker: await Doorbell.install(hall.dsn, room.bell_of(worker), worker) for worker in workers}
    try:
        yield installed
    finally:
        for bell in installed.values():
            await bell.close()


async def heard(installed: dict[str, Doorbell], some: bool = True) -> set[str]:
    """Return whose doorbells have rung, once one of them has; a commit rings all its bells in one go.

    Where none is to ring, for a while there is nothing but silence to wait for.
    """
    rung: set[str] = set()
    async with asyncio.timeout(PATIENCE_S):
        while some and not rung:
            rung = await _rung(installed, 0.3)
    return rung | await _rung(installed, 0.1 if some else 0.3)


async def _rung(installed: dict[str, Doorbell], within_s: float) -> set[str]:
    rang = await asyncio.gather(*(bell.wait(within_s) for bell in installed.values()))
    return {worker for worker, it_did in zip(installed, rang, strict=True) if it_did}


async def offer(hall: Floor, worker: str, most: int = 2, agents: tuple[str, ...] | None = None) -> None:
    """Let a worker that finds nothing offer its room."""
    assert (await hall.desk(worker).turn((), agents, most)).claimed == []


async def test_one_attempt_wakes_one_worker(namespace: Namespace) -> None:
    """Of three that have room, who has waited longest is woken; the others sleep on, and are there for what comes next."""
    async with floor(namespace.postgres) as hall, bells(hall, "w1", "w2", "w3") as installed:
        await hall.agent()
        for one in installed:
            await offer(hall, one)

        await hall.tell(asked(1), chose(1))
        first = await heard(installed)
        await hall.tell(asked(2), chose(2))
        second = await heard(installed)

        assert (first, second) == ({"w1"}, {"w2"})
        assert await hall.value(OFFERED) == 1


async def test_as_many_are_woken_as_it_takes_to_do_all(namespace: Namespace) -> None:
    """Those with the most room come first, until there is room for every attempt."""
    async with floor(namespace.postgres) as hall, bells(hall, "w1", "w2", "w3", "w4") as installed:
        await hall.agent()
        for one, most in zip(installed, (1, 3, 2, 2), strict=True):
            await offer(hall, one, most)

        await hall.tell(*(fact for n in range(4) for fact in (asked(n), chose(n))))

        assert await heard(installed) == {"w2", "w3"}


async def test_for_each_agent_somebody_who_serves_it_is_woken(namespace: Namespace) -> None:
    """Room is of no use at a worker that does not serve the agent; where nobody does, nobody is woken."""
    async with floor(namespace.postgres) as hall, bells(hall, "w1", "w2") as installed:
        for agent in ("here", "there", "nowhere"):
            await hall.agent(agent)
        await offer(hall, "w1", 8, ("here",))
        await offer(hall, "w2", 1, ("there",))

        await hall.tell(asked(1), chose(1, agent="nowhere"))
        nobody = await heard(installed, some=False)
        await hall.tell(asked(2), chose(2, agent="here"), asked(3), chose(3, agent="there"))

        assert (nobody, await heard(installed)) == (set(), {"w1", "w2"})


async def test_what_has_no_room_left_is_not_offered(namespace: Namespace) -> None:
    """A claim that was filled offers nothing; one that was not offers the rest, once, and a ring takes the offer away."""
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        await hall.tell(asked(1), chose(1), asked(2), chose(2), asked(3), chose(3))

        await hall.desk("full").turn((), None, 2)
        await hall.desk("half").turn((), None, 2)
        await hall.desk("half").turn((), None, 2)
        offered = await (await hall.connection.execute("select worker, room from ops.work_room")).fetchall()
        await room.ring(hall.connection, ["calculator"])

        assert offered == [("half", 1)]
        assert await hall.value(OFFERED) == 0


async def test_an_attempt_that_is_held_back_wakes_nobody(namespace: Namespace) -> None:
    """There is nothing to claim yet: it is found by a poll when it may go."""
    async with floor(namespace.postgres) as hall, bells(hall, "w1") as installed:
        await hall.agent()
        await offer(hall, "w1")

        await hall.tell(asked(1), chose(1, attempt=2), retry=Retry(base_s=60.0))

        assert await heard(installed, some=False) == set()


async def test_what_is_queued_again_rings(namespace: Namespace) -> None:
    """Given back, left behind by a dead worker, or waiting for an agent that was paused: each wakes who has room."""
    async with floor(namespace.postgres) as hall, bells(hall, "w1") as installed:
        await hall.agent()
        await hall.tell(asked(1), chose(1), asked(2), chose(2))
        leaver, dead = await hall.claim("other", limit=1), await hall.claim("dead", limit=1, lease_s=0.0)
        woken = []

        for again in (lambda: hall.desk("other").give_back([leaver[0].hold]), hall.sweep):
            await offer_nothing(hall, "w1")
            await again()
            woken.append(await heard(installed))

        assert len(dead) == 1
        assert woken == [{"w1"}, {"w1"}]


async def offer_nothing(hall: Floor, worker: str) -> None:
    """Offer a worker's room without taking what is there."""
    await hall.desk(worker).turn((), ("nobody",), 1)
    await hall.connection.execute("update ops.work_room set agents = null where worker = %s", (worker,))


async def test_who_is_rung_and_has_no_room_passes_the_ring_on(namespace: Namespace) -> None:
    """A ring is for the work, not for the worker: whoever else has room is woken in its place; so it is with one that leaves."""
    async with floor(namespace.postgres) as hall, bells(hall, "w1", "w2") as installed:
        await hall.agent()
        await offer_nothing(hall, "w1")
        await hall.tell(asked(1), chose(1))
        first = await heard(installed)
        await offer_nothing(hall, "w2")

        await hall.desk("w1").withdraw()

        assert (first, await heard(installed)) == ({"w1"}, {"w2"})


class Late(Desk):
    """A desk at which an attempt is queued after a claim has looked, by somebody who cannot see the offer yet."""

    hall: Floor
    turns = 0

    async def turn(self, tried: Sequence[Tried], agents: Sequence[str] | None, most: int) -> Turn:
        """Do a turn; after the first one something is in the queue, and nobody was rung for it."""
        self.turns += 1
        turn = await super().turn(tried, agents, most)
        if self.turns == 1:
            await self.hall.connection.execute("delete from ops.work_room")
            await self.hall.tell(asked(1), chose(1))
        return turn


async def test_a_ring_that_comes_before_the_offer_is_seen_is_made_up_for(namespace: Namespace) -> None:
    """Who has offered room looks once more: an attempt queued meanwhile is claimed at once, though no poll would for a minute."""
    async with floor(namespace.postgres) as hall, httpx.AsyncClient(trust_env=False) as http:
        await hall.agent()
        own, looking, stopped = await connect(hall.dsn, "w1"), await connect(hall.dsn, "looks"), asyncio.Event()
        desk = Late(own, "w1", hall.roads, now, 30.0)
        desk.hall = hall
        crew = Crew(own, Toolbox(Path(), frozenset(), http, lambda _path: cast("Outcomes", None)), time.monotonic)
        shift = Shift("w1", None, 2, poll_s=60.0)
        pump = asyncio.create_task(Worker(shift, desk, crew, own, now, time.monotonic, hall.count).pump(stopped))

        async with asyncio.timeout(PATIENCE_S):  # by a connection of our own: the hall's is in the pump's hands
            while not await (await looking.execute("select 1 from ops.work_attempt where epoch > 0")).fetchone():  # noqa: ASYNC110
                await asyncio.sleep(0.02)

        stopped.set()
        pump.cancel()
        await asyncio.gather(pump, return_exceptions=True)
        await own.close()
        await looking.close()
        assert await hall.value("select count(*) from ops.work_attempt where epoch > 0") == 1


async def test_who_takes_no_more_leaves_what_it_gave_back_to_others(namespace: Namespace) -> None:
    """A worker that is about to end claims nothing, though it has room and looks; the next one does it."""
    async with floor(namespace.postgres) as hall, httpx.AsyncClient(trust_env=False) as http:
        await hall.agent()
        await hall.tell(asked(1), chose(1))
        own = await connect(hall.dsn, "w1")
        crew = Crew(own, Toolbox(Path(), frozenset(), http, lambda _path: cast("Outcomes", None)), time.monotonic)
        claimed = []
        for leaves in (True, False):
            shift, stopped = Shift("w1", None, 2, poll_s=0.01), asyncio.Event()
            one = Worker(shift, Desk(own, "w1", hall.roads, now, 30.0), crew, own, now, time.monotonic, hall.count)
            if leaves:
                one.take_no_more()
            asyncio.get_running_loop().call_later(0.5, stopped.set)
            await one.pump(stopped)
            claimed.append(await hall.value("select count(*) from ops.work_attempt where epoch > 0"))
        await own.close()

    assert claimed == [0, 1]


async def test_work_does_not_wait_for_a_dead_worker(namespace: Namespace) -> None:
    """The one that is named was killed: the other finds the attempt by a look of its own, long before a lease runs out."""
    async with shop(namespace) as hall:
        await queue(hall, 0, rounds_of(1))
        with worker(orders(namespace, "victim", lease_s=30.0)) as victim:
            await until(hall, OFFERED, 1)
            with worker(orders(namespace, "heir", lease_s=30.0)):
                await until(hall, OFFERED, 2)
                os.kill(victim.pid, signal.SIGKILL)
                victim.wait()
                await hall.tell(asked(1), chose(1, agent="hasher"))
                await until(hall, COMPLETED, 1)

        waited = await hall.value("select extract(epoch from started_at - queued_at)::float8 from ops.work_attempt")
        rung = await hall.value("select count(*) from ops.work_room where worker = 'victim'")
        assert rung == 0
        assert waited < 15.0  # a look every quarter of a second, on a machine that may be very busy


async def test_an_end_frees_room_for_what_waits(namespace: Namespace) -> None:
    """A worker that was full takes the next attempts in the turn that ends the ones before: nobody needs to ring."""
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        await hall.tell(asked(1), chose(1), asked(2), chose(2))
        desk = hall.desk("w1")
        (first,) = (await desk.turn((), None, 1)).claimed

        turn = await desk.turn([Tried(done(first))], None, 1)

        assert len(turn.claimed) == 1
        assert await hall.value(OFFERED) == 0
