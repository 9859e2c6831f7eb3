"""The floor, driven: one bare process per process of ours, the same number of tasks under way, on topics of its own."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from bench.floor import HOPS, PRODUCER, TRAVELLED, awaited, consumers, duties
from bench.floor_part import Mint, Plan, consumer, producer, publish, told
from bench.path.cpu import Spent, spent, used
from bus import admin
from events.answer import AnswerGiven
from events.learning import ExampleRecorded
from events.request import GiveFeedback, SubmitTask
from events.topics import Names
from smolit.errors import CheckFailed
from smolit.process.roster import BESIDE, Slot, slots
from smolit.process.start import how_ended

PATIENCE_S = 120.0
HEARING = frozenset(process for name in {hop.by for hop in HOPS} | {one for hop in HOPS for one in hop.hands}
                    for duty in duties(name).values() for process in duty.tell)  # fmt: skip
_SUBMIT, _FEEDBACK = SubmitTask.event_type.wire_name, GiveFeedback.event_type.wire_name
_ANSWER, _EXAMPLE = AnswerGiven.event_type.wire_name, ExampleRecorded.event_type.wire_name


class Floor(Struct, frozen=True):
    """What the floor has shown: tasks that went all their way, and what they cost."""

    tasks: int
    spent: Spent

    @property
    def tasks_per_s(self) -> float:
        """Return the tasks per second."""
        return self.tasks / self.spent.seconds


@dataclass(frozen=True)
class Ground:
    """Where the floor runs, and what it is to do: first `warm` tasks that do not count, then `tasks` that do."""

    plan: Plan
    folder: Path
    workers: int
    warm: int
    in_flight: int
    kafka_pids: Sequence[int]
    cores: Sequence[int]


class Asker:
    """The producer of the floor: asks, waits for the answer, judges it."""

    def __init__(self, plan: Plan) -> None:
        self._mint, self._out = Mint(plan), producer(plan.kafka)
        self._readers = [consumer(plan, topics) for topics in consumers(PRODUCER)]
        self._answers: dict[str, asyncio.Future[None]] = {}
        self._following: list[asyncio.Task[None]] = []
        self._learned = asyncio.Condition()
        self.examples = 0

    async def __aenter__(self) -> "Asker":
        """Connect, and follow."""
        for one in (*self._readers, self._out):
            await one.start()
        self._following = [asyncio.create_task(self._follow(one)) for one in self._readers]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        for one in (*self._readers, self._out):
            await one.stop()

    async def drive(self, numbers: Iterable[int], in_flight: int) -> None:
        """Keep so many tasks under way until all were answered and judged."""
        waiting = iter(numbers)

        async def one_after_another() -> None:
            for number in waiting:
                await self._ask(f"{number:036d}")

        async with asyncio.TaskGroup() as group:
            for _ in range(in_flight):
                group.create_task(one_after_another())

    async def wait_learned(self, examples: int) -> None:
        """Wait until so many examples were seen."""
        async with self._learned:
            await self._learned.wait_for(lambda: self.examples >= examples)

    async def _ask(self, task: str) -> None:
        answer = self._answers[task] = asyncio.get_running_loop().create_future()
        await publish(self._out, self._mint, [(_SUBMIT, task)])
        await answer
        await publish(self._out, self._mint, [(_FEEDBACK, task)])

    async def _follow(self, one: Any) -> None:
        while True:
            batch = await one.getmany(timeout_ms=1_000)
            facts = [told(record) for records in batch.values() for record in records]
            for task in (task for name, task in facts if name == _ANSWER):
                self._answers.pop(task).set_result(None)
            async with self._learned:
                self.examples += sum(name == _EXAMPLE for name, _ in facts)
                self._learned.notify_all()


async def run_floor(ground: Ground) -> Floor:
    """Run the floor and return what it showed.

    Raises:
        CheckFailed: a process of it ended, or did not pass on everything in time.
    """
    names = Names(ground.plan.prefix)
    await admin.provision(ground.plan.kafka, {names.of(topic): topic for topic in TRAVELLED})
    try:
        async with asyncio.timeout(PATIENCE_S), _processes(ground) as parts, Asker(ground.plan) as asker:
            return await _measured(ground, parts, asker)
    except TimeoutError as error:
        raise CheckFailed(f"the floor did not pass {ground.plan.tasks} tasks on within {PATIENCE_S:.0f} s") from error


async def _measured(ground: Ground, parts: Mapping[Slot, Process], asker: Asker) -> Floor:
    """Warm everything up, then measure until every process has passed on everything."""
    await asker.drive(range(ground.warm), ground.in_flight)
    await asker.wait_learned(ground.warm)
    groups = _groups(ground, parts)
    before = used(groups, ground.cores)
    await asker.drive(range(ground.warm, ground.plan.tasks), ground.in_flight)
    await asker.wait_learned(ground.plan.tasks)
    await asyncio.gather(*(_heard(slot, part, "done") for slot, part in parts.items() if awaited(slot.name)))
    after = used(groups, ground.cores)
    await _require_passed(parts, ground.plan.tasks)
    return Floor(asker.examples - ground.warm, spent(before, after))


def _groups(ground: Ground, parts: Mapping[Slot, Process]) -> dict[str, Sequence[int]]:
    """Return the process ids of all that takes part, by name."""
    found: dict[str, list[int]] = {}
    for slot, part in parts.items():
        found.setdefault(slot.name, []).append(part.pid)
    return {**found, PRODUCER: [os.getpid()], "kafka": ground.kafka_pids}


@asynccontextmanager
async def _processes(ground: Ground) -> AsyncIterator[dict[Slot, Process]]:
    """Yield the processes of the floor, ready; they die with us."""
    path, log = ground.folder / "floor.plan", ground.folder / "floor.log"
    path.write_bytes(msgspec.msgpack.encode(ground.plan))
    wanted = [slot for slot in slots(ground.workers) if slot.name not in BESIDE]  # nothing of a task reaches those
    pipes = {slot: os.pipe() for slot in wanted if slot.name in HEARING}
    parts: dict[Slot, Process] = {}
    try:
        for slot in wanted:
            parts[slot] = await _start(slot, path, log, pipes)
        await asyncio.gather(*(_heard(slot, part, "ready") for slot, part in parts.items()))
        yield parts
    finally:
        for pipe in (end for both in pipes.values() for end in both):
            os.close(pipe)
        await asyncio.gather(*(_end(part) for part in parts.values()))


async def _start(slot: Slot, plan: Path, log: Path, pipes: Mapping[Slot, tuple[int, int]]) -> Process:
    """Start one process with the ends of the pipes that it needs."""
    told_to = {process for duty in duties(slot.name).values() for process in duty.tell}
    tell = [(other.name, pipe[1]) for other, pipe in pipes.items() if other.name in told_to]
    hear = [pipes[slot][0]] if slot in pipes else []
    argv = [sys.executable, "-P", "-m", "bench.floor_part", slot.name, "--plan", str(plan)]
    argv += [word for end in hear for word in ("--hear", str(end))]
    argv += [word for name, end in tell for word in ("--tell", f"{name}={end}")]
    ends = (*hear, *(end for _, end in tell))
    with log.open("ab") as said:
        return await asyncio.create_subprocess_exec(*argv, stdin=PIPE, stdout=PIPE, stderr=said, pass_fds=ends, process_group=0)


async def _heard(slot: Slot, part: Process, word: str) -> None:
    """Wait until a process says something; raises CheckFailed if it ends or says something else."""
    line = await part.stdout.readline() if part.stdout else b""
    if not line:
        how = how_ended(await part.wait())
        raise CheckFailed(f"{slot.identity} of the floor {how} before it was {word}, so it measured nothing; floor.log says why")
    if line.decode().strip() != word:
        raise CheckFailed(f"{slot.identity} of the floor said {line.decode()!r} instead of {word!r}")


async def _require_passed(parts: Mapping[Slot, Process], tasks: int) -> None:
    """Let the processes end, and compare what they took in with what they had to; raises CheckFailed."""
    taken: dict[str, Counter[str]] = {}
    for slot, part in parts.items():
        if part.stdin is None or part.stdout is None:
            raise RuntimeError("a process of the floor has no pipes")
        part.stdin.close()
        taken.setdefault(slot.name, Counter()).update(msgspec.json.decode(await part.stdout.readline(), type=dict[str, int]))
    for name, facts in taken.items():
        if short := {fact: facts[fact] for fact in duties(name) if facts[fact] != tasks}:
            raise CheckFailed(f"{name} of the floor took in {short} instead of {tasks} each")


async def _end(part: Process) -> None:
    """End one process, which has nothing left to do."""
    if part.stdin is not None:
        part.stdin.close()
    try:
        async with asyncio.timeout(10.0):
            await part.wait()
    except TimeoutError:
        part.kill()
        await part.wait()
