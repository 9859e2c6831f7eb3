"""A worker as a process: connections, loops that live and die together, and heartbeats."""

import asyncio
from asyncio import Event
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from datetime import datetime
from typing import Any

from msgspec import Struct

from agents.errors import AgentFailed
from agents.pipeline import Timer, Toolbox
from bus.producer import MakePublisher, Publisher
from events.event import Envelope
from events.event import Event as Told
from events.heartbeat import WorkerSeen
from events.ids import derived_id
from events.topics import AGENTS_LIVE
from events.wire import Outgoing, encode
from handlers.attempt import Tried
from handlers.count import Count
from handlers.crew import Crew
from handlers.desk import Desk
from handlers.ending import Roads
from handlers.guard import Bounds, Guard, Guarded
from handlers.telling import Teller
from handlers.worker import Shift, Worker
from store import work
from store.claim import Hold
from store.doorbell import Doorbell
from store.postgres import Connect, Connection, connect
from store.room import bell_of

SOURCE = "smolit/worker"
Clock = Callable[[], datetime]


class Memory(Struct, frozen=True):
    """How the memory of the process is guarded: bounds, bytes in use, and what ends it at once, with the reason."""

    bounds: Bounds
    used: Callable[[], int | None]
    end: Callable[[str], None]


async def run(
    kafka: str,
    dsn: str,
    shift: Shift,
    roads: Roads,
    toolbox: Toolbox,
    stopped: Event,
    clock: Clock,
    timer: Timer,
    count: Count,
    *,
    connect: Connect = connect,
    make_publisher: MakePublisher = Publisher,
    memory: Memory | None = None,
    teller: Teller | None = None,
) -> None:
    """Work until told to stop, then end what is under way; any error ends it, and the runner starts it again."""
    _widen_threads(shift.capacity)
    async with AsyncExitStack() as stack:
        claims, others = await _connect(connect, dsn, shift, stack), await _connect(connect, dsn, shift, stack)
        doorbell = await Doorbell.install(dsn, bell_of(shift.worker), shift.worker)
        stack.push_async_callback(doorbell.close)
        publisher = make_publisher(kafka, shift.worker)
        await publisher.start()
        stack.push_async_callback(publisher.stop)
        desk = Desk(claims, shift.worker, roads, clock, shift.lease_s, shift.pool)
        worker = Worker(shift, desk, Crew(others, toolbox, timer, teller), others, clock, timer, count)
        if memory is not None:
            spare = _Spare(connect, dsn, shift, roads, clock)
            guard = Guard(memory.bounds, _guarded(worker, memory, spare, stopped))
            guard.start()
            stack.callback(guard.close)
        pulse = _Pulse(publisher, others, shift, roads, clock)
        beats = pulse.beat(lambda: worker.busy)
        await _together(worker.pump(stopped), [worker.listen(doorbell), worker.renew(), worker.heed(stopped), beats])
        await pulse.farewell()


class _Spare:
    """A desk for the guard's thread: when it is needed, the one of the loop may hang."""

    def __init__(self, connect: Connect, dsn: str, shift: Shift, roads: Roads, clock: Clock) -> None:
        self._connect, self._dsn, self._shift, self._roads, self._clock = connect, dsn, shift, roads, clock

    async def give_up(self, failed: Tried | None, others: Sequence[Hold]) -> None:
        """Write down that an attempt failed, and queue the others again."""
        shift = self._shift
        connection = await self._connect(self._dsn, f"{shift.worker}-guard")
        try:
            desk = Desk(connection, shift.worker, self._roads, self._clock, shift.lease_s, shift.pool)
            if failed is not None:
                await desk.turn([failed], shift.agents, 0)
            await desk.give_back(others)
        finally:
            await connection.close()


def _guarded(worker: Worker, memory: Memory, spare: _Spare, stopped: Event) -> Guarded:
    """Return what the guard does things with; what touches the loop is handed over to it."""
    loop = asyncio.get_running_loop()

    async def give_up(hold: Hold | None, error: AgentFailed) -> None:
        worker.take_no_more()
        others = [one for one in worker.under_way() if one != hold]
        await spare.give_up(None if hold is None else worker.stopped(hold, error), others)

    return Guarded(
        used=memory.used,
        under_way=worker.under_way,
        fail=lambda hold, error: _soon(loop, worker.fail, hold, error),
        stop=lambda: _soon(loop, stopped.set),
        give_up=give_up,
        end=memory.end,
    )


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *arguments: object) -> None:
    """Have the loop call, unless it is over."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(call, *arguments)


class _Pulse:
    """Shows that a worker lives, what it serves, and how busy it is."""

    def __init__(self, publisher: Publisher, connection: Connection, shift: Shift, roads: Roads, clock: Clock) -> None:
        self._publisher = publisher
        self._connection = connection
        self._shift = shift
        self._roads = roads
        self._clock = clock

    async def beat(self, busy: Callable[[], int]) -> None:
        """Tell it every heartbeat."""
        while True:
            agents = await work.serving(self._connection, self._shift.agents, self._shift.pool)
            record = seen(self._shift.worker, self._roads, agents, self._shift.capacity, busy(), self._clock())
            await self._publisher.publish([record])
            await asyncio.sleep(self._shift.heartbeat_s)

    async def farewell(self) -> None:
        """Tell that it serves nothing any more."""
        await self._publisher.publish([seen(self._shift.worker, self._roads, (), 0, 0, self._clock())])


def seen(worker: str, roads: Roads, agents: Sequence[str], capacity: int, busy: int, now: datetime) -> Outgoing:
    """Return the record of a heartbeat."""
    fact = WorkerSeen(worker=worker, agents=tuple(agents), capacity=capacity, busy=busy, seen_at=now)
    event_id = derived_id("worker.seen", worker, now.isoformat())
    envelope = Envelope(
        id=event_id,
        source=roads.source,
        subject=worker,
        time=now,
        correlation_id=worker,
        causation_id=event_id,
    )
    return encode(roads.names.of(AGENTS_LIVE), Told(envelope, fact))


async def _together(main: Coroutine[Any, Any, None], helpers: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run `main` with its helpers until it ends; the first error of any ends them all, and is raised as it is."""
    leader = asyncio.create_task(main)
    tasks = [leader, *(asyncio.create_task(helper) for helper in helpers)]
    try:
        pending: set[asyncio.Task[None]] = set(tasks)
        while leader in pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _widen_threads(capacity: int) -> None:
    """Let every attempt have a thread, and leave some for name look-ups."""
    executor = ThreadPoolExecutor(max_workers=capacity + 2, thread_name_prefix="agent")
    asyncio.get_running_loop().set_default_executor(executor)


async def _connect(connect: Connect, dsn: str, shift: Shift, stack: AsyncExitStack) -> Connection:
    """Return a connection that is closed with the process."""
    connection = await connect(dsn, shift.worker)
    stack.push_async_callback(connection.close)
    return connection
