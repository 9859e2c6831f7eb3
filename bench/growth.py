"""What a task costs at each size of something that can grow: one function an axis, and the points that they find."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import psutil
from msgspec import Struct

from bench import hands
from bench.calibration import loop_s
from bench.cpu import backend_of, rss_bytes, used_s
from bench.ground import Ground
from bench.pieces import Choices, Job, Piece, forget, pieces, settle
from bench.story import FACTS, Stories
from bench.topics import lent
from bus.producer import Publisher
from bus.reader import PartitionReader
from events.topics import Topic
from events.wire import Outgoing, encode
from learning.outcomes import Outcomes
from smolit.settings import PROJECT

_GROWN, _TOLD_EVERY = 250, 20  # tasks at a time while a history grows
_SOAKED, _FORGET_EVERY = 100, 10
_MANY, _FEW = 32, 2  # tasks under way
_WARM = 0.2  # of a soak: until then caches fill
MIB = 1024 * 1024
_PATIENCE_S, _LOOK_S = 60.0, 0.02

Say = Callable[[str], None]


class Point(Struct, frozen=True):
    """One measurement: processor milliseconds a task (a second, where `piece` says so), memory, and the time of a fixed loop."""

    axis: str
    piece: str
    size: int
    cpu_ms: float
    rss_mib: float
    loop_s: float


class Sample(Struct, frozen=True):
    """A soak after so many tasks: resident memory, and tasks that the work queue keeps."""

    tasks: int
    rss_mib: float
    kept: int


class Plan(Struct, frozen=True):
    """How much is measured at each size: so many times so many tasks."""

    repeats: int
    tasks: int


async def history(url: str, place: Ground, sizes: Sequence[int], plan: Plan, say: Say) -> list[Point]:
    """Grow a history of events to each size, all pieces at once, and measure each by itself there."""
    points: list[Point] = []
    async with pieces(_stories(), place.names, url) as (connection, every):
        done = 0
        for size in sizes:
            done = await _grown(every, done, size // FACTS, say)
            await settle(connection)
            for _ in range(plan.repeats):
                points += [await _point("history", one, size, one.job(done, plan.tasks), plan) for one in every]
                done += plan.tasks
            say(f"history of {size} events: {_told(points[-len(every) :])}")
    return points


async def agents(sizes: Sequence[int], plan: Plan, say: Say) -> list[Point]:
    """Measure the choice among more and more agents, each of which the policy has met; sizes take turns."""
    stories = _stories()
    choices = {size: Choices(stories, [f"agent-{number:04}" for number in range(size)]) for size in sizes}
    for piece in choices.values():
        piece.meet_all()
    points = [
        await _point("agents", piece, size, piece.job(turn * plan.tasks, plan.tasks), plan)
        for turn in range(plan.repeats)
        for size, piece in choices.items()
    ]
    say(f"choices among {max(sizes)} agents: {_told(points[-len(choices) :])}")
    return points


async def partitions(place: Ground, sizes: Sequence[int], plan: Plan, seconds: float, say: Say) -> list[Point]:
    """Measure one reader of a topic with more and more partitions: while nothing comes, and while tasks come one by one."""
    points: list[Point] = []
    for turn in range(plan.repeats):
        for size in sizes:
            name = f"{place.names.prefix}.partitions.{size}.{turn}"
            async with lent(place.kafka, {name: Topic(entity=name, partitions=size, holds="what a bench reads")}):
                points += await _read(place, name, size, plan.tasks, seconds)
            say(f"{size} partitions: {_told(points[-2:])}")
    return points


def workers(place: Ground, sizes: Sequence[int], plan: Plan, say: Say) -> list[Point]:
    """Measure the hands (dispatch, relay, workers), which are processes of their own, with more and more workers.

    Once with many tasks under way, when everybody has something to do, and once with few, when most are rung for nothing.
    """
    points: list[Point] = []
    for _ in range(plan.repeats):
        for size in sizes:
            for load, in_flight in (("many", min(_MANY, plan.tasks // 2)), ("few", _FEW)):
                with place.database() as url:
                    loop, found = loop_s(), hands.measure(place.kafka, url, plan.tasks, in_flight, size)
                some = _of_hands(size, load, found, loop)
                say(f"{size} workers: {_told(some)}")
                points += some
    return points


def _of_hands(size: int, load: str, found: hands.Hands, loop: float) -> list[Point]:
    """Return what a task costs the hands and both servers, and what the hands cost while nothing comes."""
    costs = {f"hands, {load} tasks": found.ours(found.cpu_ms_per_task)}
    costs |= {f"{name} for them, {load} tasks": found.cpu_ms_per_task[name] for name in hands.SERVERS}
    costs |= {"idle hands, a second": found.ours(found.idle_ms_per_s)} if load == "few" else {}
    return [Point("workers", piece, size, round(cost, 4), found.rss_mib, loop) for piece, cost in costs.items()]


async def soak(url: str, place: Ground, tasks: int, say: Say) -> list[Sample]:
    """Do so many tasks in one process, and let go of what ended; return the memory on the way."""
    samples: list[Sample] = []
    kept = 0
    async with pieces(_stories(timedelta(seconds=5)), place.names, url) as (connection, every):
        for number, first in enumerate(range(0, tasks, _SOAKED), 1):
            some = min(_SOAKED, tasks - first)
            await asyncio.gather(*(piece.job(first, some)() for piece in every))
            kept += some
            if number % _FORGET_EVERY == 0:
                kept -= await forget(connection)
                say(f"{first + some} tasks: {_rss():.1f} MiB, {kept} in the queue")
            samples.append(Sample(first + some, _rss(), kept))
    return samples


def after_warming(samples: Sequence[Sample]) -> list[tuple[float, float]]:
    """Return thousands of tasks and memory, without the first fifth of a soak."""
    return [(one.tasks / 1_000, one.rss_mib) for one in samples[int(len(samples) * _WARM) :]]


async def _grown(every: Sequence[Piece], done: int, wanted: int, say: Say) -> int:
    """Do tasks until there were as many as wanted; return how many there were."""
    began = time.monotonic()
    for number, first in enumerate(range(done, wanted, _GROWN), 1):
        await asyncio.gather(*(piece.job(first, min(_GROWN, wanted - first))() for piece in every))
        if number % _TOLD_EVERY == 0:
            say(f"{first + _GROWN} tasks, {(first + _GROWN - done) / (time.monotonic() - began):.0f} a second")
    return max(done, wanted)


async def _point(axis: str, piece: Piece, size: int, job: Job, plan: Plan) -> Point:
    """Do a job, and return what it cost in this process and in the server's that works for it."""
    loop, servers = loop_s(), backend_of(piece.connection) if piece.connection else []
    before = time.process_time() + used_s(servers)
    await job()
    used = time.process_time() + used_s(servers) - before
    return Point(axis, piece.name, size, round(used * 1_000 / plan.tasks, 4), _rss(), loop)


async def _read(place: Ground, topic: str, size: int, tasks: int, seconds: float) -> list[Point]:
    """Return what a reader costs a second while nothing comes, and a task while tasks come one by one."""
    loop, reading = loop_s(), Reading(place.kafka, topic, size)
    await asyncio.to_thread(reading.start)
    try:
        idle_ms = await reading.used_ms(asyncio.sleep(seconds))
        busy_ms = await reading.used_ms(_trickle(place, topic, tasks, reading))
    finally:
        await asyncio.to_thread(reading.stop)
    return [
        Point("partitions", "idle reader, a second", size, round(idle_ms / seconds, 4), _rss(), loop),
        Point("partitions", "reader, a task", size, round(busy_ms / tasks, 4), _rss(), loop),
    ]


async def _trickle(place: Ground, topic: str, tasks: int, reading: "Reading") -> None:
    """Publish the facts of some tasks, one fact after the other, and wait until the reader has all."""
    publisher = Publisher(place.kafka, "bench")
    await publisher.start()
    for record in _records(topic, tasks):
        await publisher.publish([record])
    await publisher.stop()
    async with asyncio.timeout(_PATIENCE_S):
        while reading.records < tasks * FACTS:  # noqa: ASYNC110 the reader is another thread, it only counts
            await asyncio.sleep(_LOOK_S)


def _records(topic: str, tasks: int) -> Iterator[Outgoing]:
    """Yield the records of some tasks for a topic of the bench."""
    for event in _stories().history(0, tasks):
        yield encode(topic, event)


class Reading(threading.Thread):
    """A reader in a thread of its own, so that its processor time can be told from everybody else's."""

    def __init__(self, kafka: str, topic: str, size: int) -> None:
        super().__init__(name="reader", daemon=True)
        self._kafka, self._places = kafka, [(topic, number) for number in range(size)]
        self._told, self._begun, self._used_s = False, threading.Event(), 0.0
        self.records = 0

    def start(self) -> None:
        """Start, and return once it reads."""
        super().start()
        if not self._begun.wait(_PATIENCE_S):
            raise TimeoutError("the reader did not start")

    def stop(self) -> None:
        """Stop it."""
        self._told = True
        self.join()

    async def used_ms(self, meanwhile: Coroutine[object, object, None]) -> float:
        """Return the processor milliseconds that the reader uses meanwhile."""
        before = self._used_s
        await meanwhile
        return (self._used_s - before) * 1_000

    def run(self) -> None:
        """Read until told to stop."""
        asyncio.run(self._read())

    async def _read(self) -> None:
        reader = PartitionReader(self._kafka, "bench")
        await reader.start(dict.fromkeys(self._places, 0))
        self._begun.set()
        while not self._told:
            self.records += len(await reader.fetch())
            self._used_s = time.thread_time()
        await reader.stop()


def _stories(patience: timedelta = timedelta(hours=1)) -> Stories:
    """Return the history that all axes share; its tasks may still be claimed when they are told."""
    outcomes = Outcomes.load(PROJECT / "bench" / "data", "mmlupro_mid9")
    return Stories(outcomes, due=lambda _asked: datetime.now(UTC) + patience)


def _rss() -> float:
    """Return the memory of this process in MiB."""
    return round(rss_bytes([psutil.Process()]) / MIB, 2)


def _told(points: Sequence[Point]) -> str:
    return ", ".join(f"{one.piece} ({one.size}) {one.cpu_ms:.3f} ms" for one in points)
