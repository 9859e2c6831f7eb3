"""Workers as processes on a real Kafka and Postgres: shared load, kill -9, SIGSTOP, SIGTERM and heartbeats."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from statistics import median

import msgspec
import pytest

from agents.pipelines.hashing import iterate
from bus.admin import provision
from bus.reader import PartitionReader
from events.event import Event, Fact
from events.heartbeat import WorkerSeen
from events.task import AttemptEnded, AttemptStarted, TaskEnded
from events.topics import AGENTS_LIVE, DEFAULT_TENANT
from events.wire import decode
from tests.integration.hands_kit import Floor, asked, chose, floor, task_id
from tests.integration.hands_worker import Orders
from tests.said import PATIENCE_S
from tests.stacks import Namespace

ROOT = Path(__file__).resolve().parents[2]
MODULE = "tests.integration.hands_worker"


@contextmanager
def worker(orders: Orders) -> Iterator["subprocess.Popen[bytes]"]:
    """Lend a worker process."""
    command = [sys.executable, "-m", MODULE, msgspec.json.encode(orders).decode()]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


@asynccontextmanager
async def shop(namespace: Namespace) -> AsyncIterator[Floor]:
    """Lend a floor with its topics."""
    async with floor(namespace.postgres, namespace.topic_prefix) as hall:
        await provision(namespace.kafka, hall.names.all([DEFAULT_TENANT]))
        yield hall


def orders(namespace: Namespace, name: str, capacity: int = 2, lease_s: float = 1.0, agent: str | None = None) -> Orders:
    """Return what a worker process is told."""
    served = None if agent is None else (agent,)
    return Orders(namespace.kafka, namespace.postgres, namespace.topic_prefix, name, capacity, lease_s, served)


def rounds_of(milliseconds: float) -> int:
    """Return how many rounds of hashing take at least about that long here, however busy the machine is just now."""
    fastest = min(_seconds(500) for _ in range(10))
    return max(1, int(500 * milliseconds / (fastest * 1000)))


def _seconds(rounds: int) -> float:
    """Return the processor time of so many rounds."""
    began = time.thread_time()
    iterate(b"calibrate", rounds)
    return time.thread_time() - began


async def queue(hall: Floor, count: int, rounds: int, agent: str = "hasher") -> None:
    """Queue hashing tasks."""
    await hall.agent(agent, pipeline="hashing", settings={"rounds": rounds})
    await hall.tell(*tasks(count, agent=agent))


def tasks(count: int, first: int = 0, agent: str = "hasher") -> list[Event[Fact]]:
    """Return numbered tasks, each with its choice."""
    return [fact for n in range(first, first + count) for fact in (asked(n), chose(n, agent=agent))]


async def until(hall: Floor, query: str, wanted: int, seconds: float = PATIENCE_S) -> None:
    """Wait until a count is reached, sweeping as the watchdog does."""
    async with asyncio.timeout(seconds):
        while await hall.value(query) < wanted:  # type: ignore[arg-type]
            await hall.sweep()
            await asyncio.sleep(0.05)


RUNNING = "select count(*) from ops.work_attempt where state = 'running'"
COMPLETED = "select count(*) from ops.work_task where state = 'completed'"
OFFERED = "select count(*) from ops.work_room"


async def ends_once(hall: Floor, count: int) -> bool:
    """Say whether each of so many tasks has one start, one end of its attempt and one end."""
    tallies = [Counter(fact.task_id for fact in await hall.sent(kind)) for kind in (AttemptEnded, TaskEnded)]
    starts = {event.id for event in await hall.outbox() if isinstance(event.fact, AttemptStarted)}
    return len(starts) == count and all(len(t) == count and set(t.values()) == {1} for t in tallies)


async def test_a_killed_workers_attempts_are_taken_over(namespace: Namespace) -> None:
    """After kill -9 in the middle of the work, the other worker does it all; every task ends exactly once."""
    async with shop(namespace) as hall:
        await queue(hall, 40, rounds_of(60))
        with worker(orders(namespace, "victim")) as victim, worker(orders(namespace, "heir")):
            await until(hall, f"{RUNNING} and worker = 'victim'", 1)
            os.kill(victim.pid, signal.SIGKILL)

            await until(hall, COMPLETED, 40)

        assert await ends_once(hall, 40)
        assert await hall.value("select count(*) from ops.work_attempt where epoch > 1 and worker = 'heir'") >= 1
        assert await hall.value("select max(attempt) from ops.work_attempt") == 1


async def test_a_worker_that_wakes_after_a_takeover_writes_nothing(namespace: Namespace) -> None:
    """Stopped past its lease and woken after another has done its work, it ends nothing twice and works on."""
    async with shop(namespace) as hall:
        await queue(hall, 12, rounds_of(100))
        with worker(orders(namespace, "sleeper")) as sleeper:
            await until(hall, RUNNING, 2)
            sleeper.send_signal(signal.SIGSTOP)
            held = "select count(*) from ops.work_attempt where epoch = 1 and worker = 'sleeper' and state = 'running'"
            asleep = await hall.value(held)
            with worker(orders(namespace, "awake")):
                await until(hall, COMPLETED, 12)
                await queue(hall, 30, rounds_of(1))
                sleeper.send_signal(signal.SIGCONT)
                await until(hall, COMPLETED, 30)

        assert asleep >= 1
        assert await ends_once(hall, 30)


async def test_a_worker_told_to_stop_ends_what_it_has_and_says_goodbye(namespace: Namespace) -> None:
    """SIGTERM: nothing more is claimed, what runs is ended, the last heartbeat shows no capacity, and it exits 0."""
    async with shop(namespace) as hall:
        await queue(hall, 8, rounds_of(300))
        with worker(orders(namespace, "leaver", lease_s=30.0)) as leaver:
            await until(hall, RUNNING, 2)
            leaver.send_signal(signal.SIGTERM)
            code = await asyncio.to_thread(leaver.wait, PATIENCE_S)

        reader = PartitionReader(namespace.kafka, "test")
        await reader.start({(hall.names.of(AGENTS_LIVE), 0): 0})
        seen = [decode(record.headers, record.value).fact for record in await reader.fetch(wait_ms=60_000)]
        await reader.stop()
        ended = await hall.value("select count(*) from ops.work_attempt where state = 'completed'")
        queued = await hall.value("select count(*) from ops.work_attempt where state = 'queued'")
        first, last = seen[0], seen[-1]
        assert (code, await hall.value(RUNNING), ended + queued) == (0, 0, 8)
        assert ended >= 2
        assert isinstance(first, WorkerSeen)
        assert isinstance(last, WorkerSeen)
        assert (first.worker, first.agents, first.capacity) == ("leaver", ("hasher",), 2)
        assert (last.agents, last.capacity, last.busy) == ((), 0, 0)


async def test_a_tenfold_slower_worker_gets_less_than_half_its_share(namespace: Namespace) -> None:
    """Of 100 tasks of at least 20 ms of real work, a worker slowed tenfold does fewer than 25: it has less room."""
    async with shop(namespace) as hall:
        await queue(hall, 0, rounds_of(40))
        with (
            worker(orders(namespace, "fast", capacity=1, lease_s=30.0)),
            worker(orders(namespace, "slow", capacity=1, lease_s=30.0)) as sluggish,
        ):
            await until(hall, OFFERED, 2)
            await hall.tell(*tasks(20))
            await until(hall, COMPLETED, 20)
            with throttled(sluggish):
                await hall.tell(*tasks(100, first=100))
                await until(hall, COMPLETED, 120)

        late = {task_id(n) for n in range(100, 200)}
        ends = [end for end in await hall.sent(AttemptEnded) if end.task_id in late]
        shares = Counter(end.worker for end in ends)
        assert sum(shares.values()) == 100
        assert 1 <= shares["slow"] < 25
        assert median(end.duration_us for end in ends) >= 20_000


_BRAKE = """
import os, signal, sys, time
pid = int(sys.argv[1])
while True:
    begun = time.monotonic()
    os.kill(pid, signal.SIGCONT)
    time.sleep(0.01)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(9 * (time.monotonic() - begun))  # a brake that comes late, on a busy machine, makes up for it
"""


@contextmanager
def throttled(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Slow a process down tenfold: it runs 10 ms of every 100."""
    brake = subprocess.Popen([sys.executable, "-c", _BRAKE, str(process.pid)])
    try:
        yield
    finally:
        brake.kill()
        brake.wait()


@pytest.mark.parametrize("workers", [2])
async def test_two_workers_never_do_one_attempt_twice(namespace: Namespace, workers: int) -> None:
    """With leases kept alive, each attempt is claimed exactly once, however many look for work."""
    async with shop(namespace) as hall:
        await queue(hall, 0, rounds_of(15))
        with worker(orders(namespace, "a", 4, lease_s=5.0)), worker(orders(namespace, "b", 4, lease_s=5.0)):
            await until(hall, OFFERED, 2)  # both look for work before there is any
            await hall.tell(*tasks(80))
            await until(hall, COMPLETED, 80)

        assert await hall.value("select max(epoch) from ops.work_attempt") == 1
        assert await ends_once(hall, 80)
        query = "select count(distinct worker) from ops.work_attempt"
        assert await hall.value(query) == workers
