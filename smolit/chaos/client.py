"""The clients' end of Kafka: a request is tried under the same id until the broker has it, and each try is written down."""

import asyncio
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec.structs import replace

from bus.errors import BusError, RecordTooLarge
from bus.producer import Publisher
from bus.reader import PartitionReader
from events.answer import AnswerGiven
from events.ids import task_id
from events.request import Request, SubmitTask
from events.topics import ANSWERS, DEFAULT_TENANT
from events.wire import Outgoing, decode
from smolit.chaos.history import Entry, Expects, History, Outcome
from smolit.chaos.world import World
from smolit.client import Client, Origin

SOURCE = "chaos"
_PATIENCE_S = 3.0  # of one try; a broker that was killed is away for longer
_AGAIN_S = 0.3


class Sender:
    """Sends requests, several at a time; requests of one key go one after the other."""

    def __init__(self, world: World, history: History, clock: Callable[[], datetime]) -> None:
        self._history = history
        self._publisher = Publisher(world.kafka, "chaos-client", patience_s=_PATIENCE_S)
        self._client = Client(world.kafka, Origin(world.names, DEFAULT_TENANT, SOURCE), clock, os.urandom)
        self._mending = asyncio.Lock()
        self._health = 0  # counts how often the publisher was made anew
        self._sequence: Counter[str] = Counter()
        self.open = 0

    async def start(self) -> None:
        """Connect."""
        await self._publisher.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._publisher.stop()

    async def ask(self, request: Request, request_id: str, facts: Sequence[str], expects: Expects = "facts") -> None:
        """Send a request until it is acknowledged, or known to be impossible."""
        record = self._client.record(request, request_id)
        named = task_id(DEFAULT_TENANT, SOURCE, request_id) if isinstance(request, SubmitTask) else None
        key, kind, sha256 = named or request.key, request.event_type.name, hashlib.sha256(record.value).hexdigest()
        self._sequence[key] += 1
        unknown = Entry(request_id, kind, key, self._sequence[key], sha256, "info", expects, tuple(facts), named)
        self.open += 1
        try:
            while (outcome := await self._try(record)) == "info":
                self._history.add(unknown)
            self._history.add(replace(unknown, outcome=outcome))
        finally:
            self.open -= 1

    async def _try(self, record: Outgoing) -> Outcome:
        """Send once. After an error that leaves the outcome open the publisher is made anew, by whoever comes first."""
        health = self._health
        try:
            await self._publisher.publish([record])
        except RecordTooLarge:
            return "fail"
        except BusError:
            await self._mend(health)
            return "info"
        return "ok"

    async def _mend(self, health: int) -> None:
        async with self._mending:
            while self._health == health:
                await self._publisher.stop()
                await asyncio.sleep(_AGAIN_S)
                try:
                    await self._publisher.start()
                except BusError:
                    continue
                self._health += 1


class Answers:
    """Follows the answers; whoever waits for a task's end is woken by the first one."""

    def __init__(self, world: World) -> None:
        topic = world.names.of(ANSWERS)
        self._kafka = world.kafka
        self._positions = {(topic, number): 0 for number in range(ANSWERS.partitions)}
        self._waiting: dict[str, asyncio.Future[AnswerGiven]] = {}
        self._following: asyncio.Task[None]

    def start(self) -> None:
        """Follow from the beginning."""
        self._following = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Follow no longer."""
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)

    def of(self, task: str) -> "asyncio.Future[AnswerGiven]":
        """Return what will hold the task's answer."""
        return self._waiting.setdefault(task, asyncio.get_running_loop().create_future())

    async def _follow(self) -> None:
        """Read on, with a new reader whenever the old one gives up."""
        while True:
            reader = PartitionReader(self._kafka, "chaos-answers")
            try:
                await reader.start(self._positions)
                while True:
                    await self._take(reader)
            except BusError:
                await asyncio.sleep(_AGAIN_S)
            finally:
                await reader.stop()

    async def _take(self, reader: PartitionReader) -> None:
        for record in await reader.fetch():
            fact = decode(record.headers, record.value).fact
            if isinstance(fact, AnswerGiven) and not (waiting := self.of(fact.task_id)).done():
                waiting.set_result(fact)
            self._positions[record.topic, record.partition] = record.offset + 1
