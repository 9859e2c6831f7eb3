"""What dispatch, relay and workers cost: processor time per task of each, and tasks/s with 1, 2 and 4 workers.

    python -m bench.hands --kafka HOST:PORT --postgres URL [--tasks 1000] [--in-flight 32]

Each role is a process of its own; a producer here keeps `--in-flight` tasks open. The agents are recorded ones, so what
is measured is the hands. What a start costs does not count: times are taken from the moment at which every hand has worked,
and once more while nothing comes. Servers are measured, too, if they run on this machine. Needs a Kafka and an
empty database with our tables (`smolit up`); topics get a prefix of their own.
"""

import argparse
import asyncio
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import psutil
import psycopg
from msgspec import Struct

from agents.pipeline import Toolbox
from agents.spec import load
from bench.cpu import listening, parents_of, rss_bytes, used_s
from bench.topics import lent
from bus.producer import Publisher
from bus.reader import PartitionReader
from events.agent import AgentRegistered
from events.answer import AnswerGiven
from events.event import Fact
from events.ids import derived_id
from events.stamp import stamp
from events.task import AgentChosen, Candidate, ChoiceContext, Features, PolicyRef, TaskSubmitted
from events.topics import AGENTS_LIVE, ANSWERS, DEFAULT_TENANT, Names
from events.wire import Outgoing, decode, encode
from handlers import dispatch, relay, watchdog, workshop
from handlers.count import uncounted
from handlers.ending import Roads
from handlers.purge import Keep
from handlers.worker import Shift
from learning.outcomes import Outcomes, Prompt

ROOT = Path(__file__).resolve().parents[1]
FEATURES = Features("bench", b"\x00" * 768, b"\x00" * 512)
SERVERS = ("kafka", "postgres")
_MIB = 1024 * 1024
_SETTLE_S, _IDLE_S = 0.5, 4.0


class Hands(Struct, frozen=True):
    """One run with so many workers; processor times by role and server, under load and while nothing comes."""

    workers: int
    tasks_per_s: float
    choice_to_answer_ms: dict[str, float]
    cpu_ms_per_task: dict[str, float]
    idle_ms_per_s: dict[str, float]
    rss_mib: float

    def ours(self, figures: Mapping[str, float]) -> float:
        """Return the sum over our own processes."""
        return sum(figure for name, figure in figures.items() if name not in SERVERS)


def clock() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


async def hand(role: str, kafka: str, dsn: str, prefix: str) -> None:
    """Be one of the hands until told to stop."""
    names, stopped = Names(prefix), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    roads = Roads(names, frozenset(), f"smolit/{role.partition('-')[0]}")
    if role == "relay":
        await relay.run(kafka, dsn, "relay", stopped, time.monotonic, uncounted, relay.Pace())
    elif role == "dispatch":
        dispatcher = dispatch.Dispatcher(roads, clock, random.random, dispatch.Retry(), uncounted)
        async with asyncio.TaskGroup() as group:
            group.create_task(dispatch.run(kafka, dsn, names, dispatcher, stopped))
            group.create_task(watchdog.run(dsn, roads, stopped, clock, time.monotonic, uncounted, Keep(days=7)))
    else:
        outcomes = Outcomes.load(ROOT / "bench" / "data", "mmlupro_mid9")
        async with httpx.AsyncClient(trust_env=False) as http:
            toolbox = Toolbox(ROOT, frozenset(), http, lambda _path: outcomes)
            shift = Shift(role, None, 8)
            await workshop.run(kafka, dsn, shift, roads, toolbox, stopped, clock, time.monotonic, uncounted)


@contextmanager
def hands(kafka: str, dsn: str, prefix: str, workers: int) -> Iterator[dict[str, psutil.Process]]:
    """Run all hands."""
    roles = ["dispatch", "relay", *(f"worker-{number}" for number in range(workers))]
    command = [sys.executable, "-m", "bench.hands", "--kafka", kafka, "--postgres", dsn, "--prefix", prefix, "--role"]
    children = {role: subprocess.Popen([*command, role], cwd=ROOT) for role in roles}
    try:
        yield {role: psutil.Process(child.pid) for role, child in children.items()}
    finally:
        for child in children.values():
            child.send_signal(signal.SIGTERM)
        for child in children.values():
            child.wait(timeout=60)


def servers(kafka: str, dsn: str) -> dict[str, list[psutil.Process]]:
    """Return the processes of both servers; none for one that runs elsewhere."""
    with psycopg.connect(dsn) as connection:
        return {"kafka": listening(int(kafka.rpartition(":")[2])), "postgres": parents_of([connection.info.backend_pid])}


class Meter:
    """Processor seconds of processes by name, between one look and the next."""

    def __init__(self, processes: Mapping[str, Sequence[psutil.Process]]) -> None:
        self._processes = processes
        self._last: dict[str, float] = {}
        self.look()

    def look(self) -> dict[str, float]:
        """Return the seconds since the last look."""
        before, self._last = self._last, {name: used_s(some) for name, some in self._processes.items()}
        return {name: now - before.get(name, now) for name, now in self._last.items()}


def record(names: Names, fact: Fact) -> Outgoing:
    """Return the record of a fact, as intake or selection would write it."""
    event = stamp(fact, source="smolit/bench", now=clock(), correlation=fact.key, cause=fact.key)
    return encode(names.of(fact.event_type.topic), event)


def asked(names: Names, prompt: Prompt, agent: str) -> tuple[str, list[Outgoing]]:
    """Return a task's id, and the records of its submission and of the choice of an agent among nine."""
    task = derived_id("bench", names.prefix, prompt.prompt_id)
    due = clock() + timedelta(minutes=10)
    submitted = TaskSubmitted(
        tenant=DEFAULT_TENANT, task_id=task, request_id=task, requested_by="bench", kind="question", scope="default",
        text=prompt.text, text_sha256="", text_chars=len(prompt.text), input={"prompt_id": prompt.prompt_id}, priority=5,
        deadline=due, max_attempts=3, reply_to=None,
    )  # fmt: skip
    candidates = tuple(Candidate(f"agent-{n}", 0.5, {"mean": 0.25, "text": 0.25}, 1 / 9) for n in range(9))
    choice = AgentChosen(
        tenant=DEFAULT_TENANT, task_id=task, attempt=1, context_map="bench",
        context=ChoiceContext("default", "question", FEATURES, 5, due, 3),
        candidates=candidates, left_out=(), agent=agent, propensity=1 / 9, draw=0.5, explored=True,
        policy=PolicyRef("uniform", 1, {}, "", -1), decided_by="default",
    )  # fmt: skip
    return task, [record(names, submitted), record(names, choice)]


class Fed(Struct, frozen=True):
    """How long all tasks took, each from choice to answer, and what was used meanwhile and in silence, by process."""

    seconds: float
    took: list[float]
    used: dict[str, float]
    idle: dict[str, float]


async def present(kafka: str, names: Names, workers: int) -> None:
    """Wait until so many workers show that they live."""
    reader = PartitionReader(kafka, "bench")
    await reader.start({(names.of(AGENTS_LIVE), part): 0 for part in range(AGENTS_LIVE.partitions)})
    seen: set[str] = set()
    while len(seen) < workers:
        seen |= {str(found.key) for found in await reader.fetch()}
    await reader.stop()


async def feed(kafka: str, names: Names, prompts: list[Prompt], in_flight: int, meter: Meter) -> Fed:
    """Keep so many tasks open until all are answered, then let everybody be idle for a while."""
    agents = [spec for spec in load(ROOT / "agents" / "specs") if spec.pipeline == "recorded"]
    publisher = Publisher(kafka, "bench")
    await publisher.start()
    joined = [AgentRegistered(tenant=DEFAULT_TENANT, agent_id=spec.id, request_id=spec.id, spec=spec, digest="",
                              described=FEATURES) for spec in agents]  # fmt: skip
    await publisher.publish([record(names, fact) for fact in joined])
    reader = PartitionReader(kafka, "bench")
    await reader.start({(names.of(ANSWERS), part): 0 for part in range(ANSWERS.partitions)})
    sent: dict[str, float] = {}
    took: list[float] = []
    room = asyncio.Semaphore(in_flight)

    async def send(some: list[Prompt]) -> None:
        for number, prompt in enumerate(some):
            await room.acquire()
            task, records = asked(names, prompt, agents[number % len(agents)].id)
            sent[task] = time.monotonic()
            await publisher.publish(records)

    async def hear(count: int) -> None:
        while len(took) < count:
            for found in await reader.fetch():
                fact = decode(found.headers, found.value).fact
                assert isinstance(fact, AnswerGiven)
                assert fact.outcome == "completed", fact
                took.append(time.monotonic() - sent[fact.task_id])
                room.release()

    await asyncio.gather(send(prompts[:in_flight]), hear(in_flight))  # until every hand is loaded
    took.clear()
    meter.look()
    began = time.monotonic()
    await asyncio.gather(send(prompts[in_flight:]), hear(len(prompts) - in_flight))
    seconds = time.monotonic() - began
    used = meter.look()
    await asyncio.gather(publisher.stop(), reader.stop())
    await asyncio.sleep(_SETTLE_S)
    meter.look()
    await asyncio.sleep(_IDLE_S)
    return Fed(seconds, sorted(took), used, meter.look())


def measure(kafka: str, dsn: str, tasks: int, in_flight: int, workers: int) -> Hands:
    """Return the figures of one run."""
    fed, rss = asyncio.run(_measured(kafka, dsn, tasks, in_flight, workers))
    return Hands(
        workers=workers,
        tasks_per_s=round(len(fed.took) / fed.seconds, 1),
        choice_to_answer_ms={str(p): round(fed.took[int(len(fed.took) * p / 100)] * 1000, 1) for p in (50, 95, 99)},
        cpu_ms_per_task={name: round(used * 1000 / len(fed.took), 3) for name, used in fed.used.items()},
        idle_ms_per_s={name: round(used * 1000 / _IDLE_S, 2) for name, used in fed.idle.items()},
        rss_mib=round(rss, 1),
    )


async def _measured(kafka: str, dsn: str, tasks: int, in_flight: int, workers: int) -> tuple[Fed, float]:
    """Return what the hands did, and the MiB that they hold."""
    names = Names(f"b{secrets.token_hex(4)}")
    prompts = list(Outcomes.load(ROOT / "bench" / "data", "mmlupro_mid9").prompts[:tasks])
    async with lent(kafka, names.all([DEFAULT_TENANT])):
        with hands(kafka, dsn, names.prefix, workers) as own:
            every = {role: [process] for role, process in own.items()} | servers(kafka, dsn)
            await present(kafka, names, workers)
            return await feed(kafka, names, prompts, in_flight, Meter(every)), rss_bytes(own.values()) / _MIB


def main() -> None:
    """Print one line of figures for each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--postgres", required=True)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--prefix", default="")
    parser.add_argument("--role", default="")
    given = parser.parse_args()
    if given.role:
        asyncio.run(hand(given.role, given.kafka, given.postgres, given.prefix))
        return
    for workers in given.workers:
        found = measure(given.kafka, given.postgres, given.tasks, given.in_flight, workers)
        print(msgspec.json.encode(found).decode(), flush=True)


if __name__ == "__main__":
    main()
