"""Learning, first step: from the facts of each task to numbered examples.

A durable fold over `tasks`: position, inbox, memory, examples and their outbox rows commit in one transaction. (The
second step, from examples to policy states, is `streams/library.py`, in every process that needs one.)
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from events.aside import dead_letter
from events.errors import EventError
from events.event import Envelope
from events.task import AgentChosen, AttemptEnded, FeedbackGiven, FeedbackRevised
from events.topics import TASKS, Names
from events.wire import Incoming, Outgoing, decode, event_type
from learning.examples import Example, TaskMemory, conclude, evolve
from store import outbox, training
from store.fold import DurableFold
from store.postgres import Connection
from store.training import Kept, Owner
from streams.outgoing import fact_record
from streams.positions import Positions

SOURCE = "smolit/learning"
Taught = AgentChosen | AttemptEnded | FeedbackGiven | FeedbackRevised


class Lesson(Struct, frozen=True):
    """A fact that may teach something, with its envelope and the record it came in."""

    envelope: Envelope
    fact: Taught
    record: Incoming


class Learning:
    """The processor: remember, conclude, number, and leave the examples in the outbox."""

    name = "learning"
    wants = frozenset().union(*(cls.event_type.wire_names for cls in (AgentChosen, AttemptEnded, FeedbackGiven, FeedbackRevised)))
    batch = 200
    gather_s = 0.2  # feedback may take this much longer to have its effect
    overlap = 1

    def __init__(
        self,
        *,
        names: Names,
        clock: Callable[[], datetime],
        connect: Callable[[], Awaitable[Connection]],
        fold: Callable[[str, Connection], DurableFold] = DurableFold,
    ) -> None:
        self.topics: tuple[str, ...] = (names.of(TASKS),)
        self.outcomes: Counter[str] = Counter()
        self._names, self._clock, self._connect, self._make_fold = names, clock, connect, fold
        self._connection: Connection
        self._fold: DurableFold
        self._positions: Positions

    async def start(self) -> None:
        """Connect."""
        self._connection = await self._connect()
        self._fold = self._make_fold("learning", self._connection)
        self._positions = Positions(self._fold)

    async def stop(self) -> None:
        """Disconnect."""
        await self._connection.close()

    def assigned(self) -> None:
        """Read positions anew: another process may have moved them."""
        self._positions.forget()

    def foresee(self, record: Incoming) -> bool:
        """Nothing can be begun before its turn; whatever is read here is waited for."""
        return event_type(record.headers) in self.wants

    async def process(self, batch: Sequence[Incoming]) -> None:
        """Fold a batch and commit what it taught, or do neither."""
        fresh = await self._positions.fresh(batch)
        if not fresh:
            return
        async with self._positions.step(fresh) as connection:
            lessons, sick = self._read(fresh)
            new = await self._fold.fresh([lesson.envelope.id for lesson in lessons])
            await self._learn(connection, _first(lessons, new))
            await outbox.put(connection, sick)

    async def passed(self, batch: Sequence[Incoming]) -> None:
        """Nothing is left to move."""

    def _read(self, records: Sequence[Incoming]) -> tuple[list[Lesson], list[Outgoing]]:
        """Return the lessons of a batch, and the dead letters of what cannot be read."""
        lessons: list[Lesson] = []
        sick: list[Outgoing] = []
        for record in records:
            try:
                event = decode(record.headers, record.value)
            except EventError as error:
                sick.append(dead_letter(record, "learning", "", error.code, str(error), self._names, self._clock()))
                continue
            if isinstance(event.fact, Taught):
                lessons.append(Lesson(event.envelope, event.fact, record))
        return lessons, sick

    async def _learn(self, connection: Connection, lessons: Sequence[Lesson]) -> None:
        """Fold the lessons of each task into its memory, and leave the examples that follow in the outbox."""
        ids = sorted({lesson.fact.task_id for lesson in lessons})
        stored = await training.load(connection, ids) if ids else {}
        memories = {owner: msgspec.json.decode(memory, type=TaskMemory) for owner, memory in stored.items()}
        taught: list[tuple[Example, Envelope]] = []
        origins: dict[Owner, str] = {}
        for lesson in lessons:
            taught += self._remember(memories, lesson)
            origins.setdefault((lesson.fact.tenant, lesson.fact.task_id), lesson.record.origin)
        kept = {owner: self._kept(memories[owner], origin) for owner, origin in origins.items()}
        if kept:
            await training.save(connection, kept)
        await outbox.put(connection, await self._numbered(connection, taught))

    def _remember(self, memories: dict[Owner, TaskMemory], lesson: Lesson) -> list[tuple[Example, Envelope]]:
        """Fold one lesson and return what it taught."""
        fact = lesson.fact
        owner = (fact.tenant, fact.task_id)
        memory, examples = conclude(evolve(memories.get(owner) or TaskMemory(*owner), fact))
        memories[owner] = memory
        self.outcomes["examples"] += len(examples)
        return [(example, lesson.envelope) for example in examples]

    def _kept(self, memory: TaskMemory, origin: str) -> Kept:
        waiting = (self._clock(), origin) if memory.waiting else None
        return Kept(msgspec.json.encode(memory), waiting)

    async def _numbered(self, connection: Connection, taught: list[tuple[Example, Envelope]]) -> list[Outgoing]:
        """Return the records of the examples, numbered within their scopes; scopes are locked in one order."""
        by_scope: dict[tuple[str, str], list[tuple[Example, Envelope]]] = {}
        for example, by in taught:
            by_scope.setdefault((example.tenant, example.scope), []).append((example, by))
        records: list[Outgoing] = []
        for (tenant, scope), group in sorted(by_scope.items(), key=lambda item: item[0]):
            numbers = await training.numbers(connection, tenant, scope, len(group))
            records += [
                self._record(replace(example, sequence=number), by) for number, (example, by) in zip(numbers, group, strict=True)
            ]
        return records

    def _record(self, example: Example, by: Envelope) -> Outgoing:
        return fact_record(example, by, example.task_id, self._names, SOURCE, self._clock())


def _first(lessons: Sequence[Lesson], new: set[str]) -> list[Lesson]:
    """Return each new lesson once: the first in the log wins, also within a batch."""
    left = set(new)
    first: list[Lesson] = []
    for lesson in lessons:
        if lesson.envelope.id in left:
            left.discard(lesson.envelope.id)
            first.append(lesson)
    return first
