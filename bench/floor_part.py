"""One process of the floor: bare aiokafka loops that pass facts on, and nothing else.

`python -m bench.floor_part NAME --plan FILE [--hear FD] [--tell NAME=FD ...]`; it says `ready`, then `done` when every fact that
reaches it through Kafka came as often as planned, and at the end of its input how many it took in.
"""

import argparse
import asyncio
import os
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from msgspec import Struct

from bench.floor import HOPS, Fact, acting, awaited, consumers, duties
from bus.address import options
from bus.reader import MAX_WAIT_MS
from events.topics import MAX_DEAD_LETTER_BYTES, Names, Topic

LINGER_MS = 0  # as ours
TYPE, NUMBER = "ce_type", "ce_id"
_LIMIT = 500
_PIPE_BYTES = 65_536
_TOPICS = {hop.name: hop.topic for hop in HOPS}


class Plan(Struct, frozen=True):
    """What the whole floor is run with."""

    kafka: str
    prefix: str
    tasks: int
    facts: dict[str, Fact]


class Mint:
    """Makes records as large as ours were: with their headers, and values of so many bytes."""

    def __init__(self, plan: Plan) -> None:
        self._names, self._facts = Names(plan.prefix), plan.facts
        self._values = {name: b"x" * round(fact.value_bytes) for name, fact in plan.facts.items()}

    def record(self, name: str, task: str) -> dict[str, Any]:
        """Return what a producer is to send for one fact of a task."""
        fact = self._facts[name]
        headers = [(header, task.encode() if header == NUMBER else content) for header, content in fact.headers]
        key = fact.key if fact.key is not None else task.encode()
        return {"topic": self._names.of(_TOPICS[name]), "value": self._values[name], "key": key, "headers": headers}


def producer(kafka: str) -> AIOKafkaProducer:
    """Return a producer with the acknowledgements of ours."""
    return AIOKafkaProducer(**options(kafka), acks="all", enable_idempotence=True, linger_ms=LINGER_MS)


def consumer(plan: Plan, topics: Iterable[Topic]) -> AIOKafkaConsumer:
    """Return a consumer of whole topics from their beginning."""
    return AIOKafkaConsumer(
        *(Names(plan.prefix).of(topic) for topic in topics),
        **options(plan.kafka),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=2 * MAX_DEAD_LETTER_BYTES,
        fetch_max_wait_ms=MAX_WAIT_MS,
    )


def told(record: Any) -> tuple[str, str]:
    """Return which fact a record is, and of which task: the headers alone say it."""
    headers = dict(record.headers)
    return headers[TYPE].decode(), headers[NUMBER].decode()


async def publish(out: AIOKafkaProducer, mint: Mint, facts: Iterable[tuple[str, str]]) -> None:
    """Publish facts of tasks and wait until the broker has them all."""
    sent = [await out.send(**mint.record(name, task)) for name, task in facts]
    await asyncio.gather(*sent)


class Part:
    """One process: what reaches it leads to what its duties say."""

    def __init__(self, name: str, plan: Plan, tell: dict[str, list[int]]) -> None:
        self._plan, self._duties, self._mint = plan, duties(name), Mint(plan)
        self._tell = {process: cycle(pipes) for process, pipes in tell.items()}
        self._left = Counter({fact: times * plan.tasks for fact, times in awaited(name).items()})
        self._topics = consumers(name)
        names = Names(plan.prefix)
        self._acting = [frozenset(names.of(topic) for topic in topics) for topics in acting(name)]
        self._out = producer(plan.kafka) if any(hop.by == name for hop in HOPS) else None
        self.taken: Counter[str] = Counter()
        self.done = asyncio.Event()

    async def run(self, hear: int | None) -> None:
        """Take in whatever comes, until cancelled."""
        readers = [consumer(self._plan, topics) for topics in self._topics]
        for one in (*readers, *([self._out] if self._out else [])):
            await one.start()
        print("ready", flush=True)
        try:
            async with asyncio.TaskGroup() as group:
                for one, acting in zip(readers, self._acting, strict=True):
                    group.create_task(self._read(one, acting))
                if hear is not None:
                    group.create_task(self._hear(hear))
        finally:
            for one in (*readers, *([self._out] if self._out else [])):
                await one.stop()

    async def _read(self, one: AIOKafkaConsumer, acting: frozenset[str]) -> None:
        """Take in what one consumer brings, and act on what comes from these topics."""
        while True:
            batch = await one.getmany(timeout_ms=1_000, max_records=_LIMIT)
            facts = [(place.topic, *told(record)) for place, records in batch.items() for record in records]
            await self._take([(name, task) for topic, name, task in facts if topic in acting])
            self._count(name for _, name, _ in facts)

    async def _hear(self, pipe: int) -> None:
        """Take in what other processes tell."""
        stream = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(pipe, "rb"))
        rest = b""
        while chunk := await stream.read(_PIPE_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            await self._take([(name, task) for name, _, task in (line.decode().partition(" ") for line in lines)])

    async def _take(self, facts: Sequence[tuple[str, str]]) -> None:
        """Do what is to be done for facts."""
        self.taken.update(name for name, _ in facts)
        due = [(self._duties[name], name, task) for name, task in facts if name in self._duties]
        if self._out is not None:
            await publish(self._out, self._mint, [(made, task) for duty, _, task in due for made in duty.publish])
        for duty, name, task in due:
            for process in duty.tell:
                os.write(next(self._tell[process]), f"{name} {task}\n".encode())

    def _count(self, names: Iterable[str]) -> None:
        """Note what came through Kafka, and that nothing more is to come."""
        self._left.subtract(names)
        if self._left and not any(self._left.values()) and not self.done.is_set():
            self.done.set()
            print("done", flush=True)


async def _live(part: Part, hear: int | None) -> None:
    """Run until standard input ends, then say what was taken in."""
    ended = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(ended), sys.stdin)
    running, told_to_stop = asyncio.create_task(part.run(hear)), asyncio.create_task(ended.read())
    await asyncio.wait([running, told_to_stop], return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    print(msgspec.json.encode(part.taken).decode(), flush=True)


def main(arguments: Sequence[str]) -> None:
    """Be one process of the floor."""
    parser = argparse.ArgumentParser(prog="bench.floor_part", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--hear", type=int)
    parser.add_argument("--tell", action="append", default=[])
    asked = parser.parse_args(arguments)
    tell: dict[str, list[int]] = {}
    for process, _, pipe in (one.partition("=") for one in asked.tell):
        tell.setdefault(process, []).append(int(pipe))
    plan = msgspec.msgpack.decode(asked.plan.read_bytes(), type=Plan)

    async def live() -> None:
        await _live(Part(asked.name, plan, tell), asked.hear)

    asyncio.run(live())


if __name__ == "__main__":
    main(sys.argv[1:])
