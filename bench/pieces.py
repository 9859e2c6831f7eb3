"""The pieces of a task's path in which growth could hide, each fed with the same made-up history, in this process.

They are the product's own parts (folds, choice, work queue) without Kafka and without their processes; each keeps its state where
the product keeps it. So a million events are a matter of minutes, and what is measured is the piece alone.
"""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Protocol
from zlib import crc32

from bench.story import Stories
from events.agent import AgentRegistered, AgentSpec
from events.control import Control, KnownAgent
from events.event import Event, Fact
from events.learning import ExampleRecorded
from events.stamp import stamp
from events.task import AgentChosen, AttemptEnded, Features, FeedbackGiven, TaskAdmitted, TaskSubmitted
from events.topics import DEFAULT_TENANT, Names, Topic
from events.wire import Incoming, encode
from handlers.attempt import Tried
from handlers.count import uncounted
from handlers.desk import Desk
from handlers.dispatch import Dispatcher, Retry
from handlers.ending import Finish, Roads
from learning.book import Page, PolicyKey
from learning.encoding import STATIC
from learning.features import ContextMap
from learning.policies import DEFAULT
from learning.policy import Context
from projections.fold import CONSUMER, ProjectionFold
from store import purge
from store.fold import DurableFold
from store.follow import apply_batch
from store.postgres import Connection, connect
from streams.choice import Due, Served, Wanted, choose_agents
from streams.learning import Learning

_FOLDED, _DISPATCHED, _BITE = 2_000, 500, 500  # as the product does it at a time
_LEASE_S = 600.0
_DESCRIBED = Features("bench", b"\x00" * 768, b"\x00" * 512)


Job = Callable[[], Awaitable[None]]


class Piece(Protocol):
    """One piece of the path, and the connection that it has for itself, if it has tables."""

    name: str
    connection: Connection | None

    def job(self, first: int, tasks: int) -> Job:
        """Make the records of so many tasks of the history, from one on; return what does all that the piece does for them."""
        ...


class Log:
    """Makes the records of a history, each with its place: topic, partition by its key, the next offset."""

    def __init__(self, stories: Stories, names: Names) -> None:
        self.stories, self._names = stories, names
        self._ends: dict[tuple[str, int], int] = {}

    def records(self, first: int, tasks: int, kinds: tuple[type[Fact], ...] = (Fact,)) -> list[Incoming]:
        """Return the records of these tasks, of some kinds of facts alone."""
        return [self.record(one) for one in self.stories.history(first, tasks) if isinstance(one.fact, kinds)]

    def record(self, event: Event[Fact]) -> Incoming:
        """Return the record of a fact at the end of its partition."""
        topic: Topic = event.fact.event_type.topic
        sent = encode(self._names.of(topic), event)
        place = (sent.topic, crc32(sent.key) % topic.partitions)
        offset = self._ends.get(place, 0)
        self._ends[place] = offset + 1
        return Incoming(*place, offset, sent.key, sent.headers, sent.value)


class ReadModels:
    """Projections: every fact into the event log and the read models."""

    name = "projections"

    def __init__(self, log: Log, names: Names, connection: Connection) -> None:
        self.connection: Connection | None = connection
        self._log, self._fold = log, DurableFold(CONSUMER, connection)
        self._memory = ProjectionFold(names)

    def job(self, first: int, tasks: int) -> Job:
        """Fold all facts of these tasks."""
        return partial(self._work, self._log.records(first, tasks))

    async def _work(self, records: Sequence[Incoming]) -> None:
        for start in range(0, len(records), _FOLDED):
            batch = records[start : start + _FOLDED]
            places = sorted({(record.topic, record.partition) for record in batch})
            await apply_batch(self._fold, await self._fold.positions(places), batch, self._memory.apply)


class Examples:
    """Learning, first step: from the facts of each task to a numbered example in the outbox."""

    name = "learning"
    _READ = (AgentChosen, AttemptEnded, FeedbackGiven)

    def __init__(self, log: Log, learning: Learning, connection: Connection) -> None:
        self.connection: Connection | None = connection
        self._log, self._learning = log, learning

    def job(self, first: int, tasks: int) -> Job:
        """Fold what teaches, in the batches that learning takes."""
        return partial(self._work, self._log.records(first, tasks, self._READ))

    async def _work(self, records: Sequence[Incoming]) -> None:
        for start in range(0, len(records), self._learning.batch):
            await self._learning.process(records[start : start + self._learning.batch])


class Choices:
    """Selection: choose an agent for each task, and fold each example into the policy's state."""

    name = "selection"
    connection: Connection | None = None

    def __init__(self, stories: Stories, agents: Sequence[str]) -> None:
        self._map, self._stories, self._agents = ContextMap.load(STATIC), stories, agents
        self._control = Control(agents={(DEFAULT_TENANT, one): known(one) for one in agents})
        self._serving = Served(PolicyKey.of(DEFAULT, {}), "default")
        self._page = Page(self._serving.key.make(self._map.width))
        self._taught = 0

    def meet_all(self) -> None:
        """Let the policy know every agent by one example."""
        for place, agent in enumerate(self._agents):
            self._learn(place, agent)

    def job(self, first: int, tasks: int) -> Job:
        """Choose and learn, task by task, as when one comes at a time."""
        every = [(number, one.fact) for number in range(first, first + tasks) for one in self._stories.life(number)]
        return partial(self._work, [(number, fact) for number, fact in every if isinstance(fact, TaskAdmitted)])

    async def _work(self, admitted: Sequence[tuple[int, TaskAdmitted]]) -> None:
        for number, fact in admitted:
            self._choose(fact)
            self._learn(number, self._agents[number % len(self._agents)])

    def _choose(self, fact: TaskAdmitted) -> None:
        wanted = Wanted(fact.tenant, fact.task_id, 1, fact.context)
        choose_agents(
            [Due(wanted, self._serving, self._page, 0.5)], self._control, to_context=self._context, context_map=self._map.digest,
            is_live=lambda _agent: True,
        )  # fmt: skip

    def _learn(self, number: int, agent: str) -> None:
        self._taught += 1
        fact = ExampleRecorded(
            tenant=DEFAULT_TENANT, scope="default", sequence=self._taught, task_id=self._stories.task_id(number), attempt=1,
            agent=agent, features=self._stories.features(number), propensity=0.5, reward=(number % 10) / 10, rule="quality/1",
        )  # fmt: skip
        self._page.take_in(fact, self._taught, self._context)

    def _context(self, features: Features) -> Context:
        return self._map.apply(features.embedding, features.surface)


class Work:
    """The work queue: dispatch enters tasks and choices, a worker's desk claims them and ends them."""

    name = "queue"
    _READ = (TaskSubmitted, AgentChosen)
    _ROOM = 32

    def __init__(self, log: Log, names: Names, connection: Connection) -> None:
        roads = Roads(names, frozenset(), "smolit/bench")
        self.connection: Connection | None = connection
        self._log, self._connection = log, connection
        self._fold = DurableFold("dispatch", connection)
        self._dispatcher = Dispatcher(roads, _clock, random.Random(1).random, Retry(), uncounted)
        self._desk = Desk(connection, "worker-1", roads, _clock, _LEASE_S)

    async def enrol(self) -> None:
        """Enter the agents."""
        await self._enter([self._log.record(_joined(agent)) for agent in self._log.stories.agents])

    def job(self, first: int, tasks: int) -> Job:
        """Enter these tasks, and claim and end them until none is left."""
        return partial(self._work, self._log.records(first, tasks, self._READ))

    async def _work(self, records: Sequence[Incoming]) -> None:
        for start in range(0, len(records), _DISPATCHED):
            await self._enter(records[start : start + _DISPATCHED])
        tried: list[Tried] = []
        while claimed := (await self._desk.turn(tried, None, self._ROOM)).claimed:
            tried = [Tried(Finish(one, "completed", 1_000, output={"model": one.spec.id})) for one in claimed]
        await self._connection.execute("truncate ops.outbox")  # the relay's part: it lets go of what it has published

    async def _enter(self, records: Sequence[Incoming]) -> None:
        places = sorted({(record.topic, record.partition) for record in records})
        await apply_batch(self._fold, await self._fold.positions(places), records, self._dispatcher.apply)
        await self._dispatcher.ring(self._connection)


async def forget(connection: Connection) -> int:
    """Let go of what ended and was taken in before, as the watchdog does after some days; return how many tasks that were."""
    gone = 0
    async with connection.transaction():
        while bite := await purge.ended(connection, 0, _BITE):
            gone += bite
        while await purge.taken_in(connection, 0, _BITE):
            pass
    return gone


async def settle(connection: Connection) -> None:
    """Do what autovacuum does every minute: a history that takes hours elsewhere is made here in seconds."""
    await connection.execute("vacuum (analyze) ops.work_task, ops.work_attempt")


@asynccontextmanager
async def pieces(stories: Stories, names: Names, url: str) -> AsyncIterator[tuple[Connection, list[Piece]]]:
    """Yield all pieces, ready, each with a connection of its own, and one more that does what none of them does."""
    async with AsyncExitStack() as stack:
        folds, learns, works, aside = [await stack.enter_async_context(await connect(url, "bench")) for _ in range(4)]
        learning = Learning(names=names, clock=_clock, connect=partial(_given, learns))
        await learning.start()
        stack.push_async_callback(learning.stop)
        work = Work(Log(stories, names), names, works)
        await work.enrol()
        examples, choices = Examples(Log(stories, names), learning, learns), Choices(stories, stories.agents)
        yield aside, [ReadModels(Log(stories, names), names, folds), examples, choices, work]


async def _given(connection: Connection) -> Connection:
    return connection


def _clock() -> datetime:
    return datetime.now(UTC)


def _spec(agent: str) -> AgentSpec:
    return AgentSpec(agent, f"Answers questions as {agent} does.", ("question",), "recorded")


def known(agent: str) -> KnownAgent:
    """Return an agent that answers questions, as it is in force."""
    return KnownAgent(DEFAULT_TENANT, _spec(agent), agent, _DESCRIBED)


def _joined(agent: str) -> Event[Fact]:
    fact = AgentRegistered(
        tenant=DEFAULT_TENANT, agent_id=agent, request_id=agent, spec=_spec(agent), digest=agent, described=_DESCRIBED
    )
    return stamp(fact, source="smolit/bench", now=_clock(), correlation=agent, cause=agent)
