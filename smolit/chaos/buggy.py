"""The bent parts of the planted bugs. Each is what somebody in a hurry might write; none of it is in the product."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from bus.producer import MakePublisher, Published, Publisher
from bus.reader import PartitionReader
from events.learning import ExampleRecorded
from events.plan import SUPERVISOR
from events.request import SubmitTask
from events.task import AttemptEnded, TaskEnded
from events.wire import Headers, Incoming, Outgoing, event_type
from handlers.supervisor import CONSUMER as SUPERVISORS
from smolit.chaos.watched import WatchedConnection, text_of
from store import outbox
from store.fold import DurableFold, Move
from store.postgres import Connect, Connection
from streams.processor import Around, Processor

_LAZY_S = 2.5  # longer than Faust waits before it commits what was acknowledged
_BELATED_S = 1.0
_ONE_IN = 50
_BLIND = """
update ops.fold_position as position set next = move.new
from unnest(%s::text[], %s::int[], %s::bigint[]) as move(topic, partition, new)
where position.consumer = %s and position.topic = move.topic and position.partition = move.partition"""

_LAST_ASKED = b"select topic, key, headers::text, value from ops.outbox where published_at is not null order by id desc limit 200"
_MOST_AGAIN = 3

Bend = Callable[[list[Outgoing]], list[Outgoing]]
Rewrite = Callable[[str], str]


class AcksFirst(Around):
    """A processor that says it is done, and then begins."""

    def __init__(self, inner: Processor) -> None:
        super().__init__(inner)
        self._queue: asyncio.Queue[Sequence[Incoming]] = asyncio.Queue()
        self._working: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the processor, and who really does its work."""
        await super().start()
        self._working = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Stop both."""
        if self._working is not None:
            self._working.cancel()
        await super().stop()

    async def process(self, batch: Sequence[Incoming]) -> None:
        """Put a batch aside for later; whoever called acknowledges it now."""
        await self._queue.put(batch)

    async def passed(self, batch: Sequence[Incoming]) -> None:
        """Nothing has been done yet."""

    async def _work(self) -> None:
        while True:
            batch = await self._queue.get()
            await asyncio.sleep(_LAZY_S)
            await super().process(batch)
            await super().passed(batch)


class BlindFold(DurableFold):
    """A fold that sets its position without looking where it stands, and takes everything for new."""

    @asynccontextmanager
    async def step(self, moves: Iterable[Move]) -> AsyncIterator[Connection]:
        """Open a transaction and set the positions."""
        async with self._connection.transaction():
            await self._connection.execute(_BLIND, (*_columns(moves), self.consumer))
            yield self._connection

    async def fresh(self, event_ids: Sequence[str]) -> set[str]:
        """Return all of them."""
        return set(event_ids)


class HastyFold(DurableFold):
    """A fold that commits its position first and the rows afterwards."""

    @asynccontextmanager
    async def step(self, moves: Iterable[Move]) -> AsyncIterator[Connection]:
        """Set the positions, then open a transaction."""
        await self._connection.execute(_BLIND, (*_columns(moves), self.consumer))
        if isinstance(self._connection, WatchedConnection):
            self._connection.passed("commit.before")
        async with self._connection.transaction():
            yield self._connection


class Dropping(PartitionReader):
    """A reader that loses one record in fifty."""

    _seen = 0

    async def fetch(self, limit: int = 500, wait_ms: int = 200) -> list[Incoming]:
        """Return what it did not lose."""
        kept: list[Incoming] = []
        for record in await super().fetch(limit, wait_ms):
            self._seen += 1
            if self._seen % _ONE_IN:
                kept.append(record)
        return kept


class Restamping(PartitionReader):
    """A reader that gives the end of a task the time at which it was read."""

    async def fetch(self, limit: int = 500, wait_ms: int = 200) -> list[Incoming]:
        """Return records, some with a new time."""
        now = datetime.now(UTC).isoformat().encode()
        wanted = TaskEnded.event_type.wire_name
        return [
            replace(record, headers=_with(record.headers, "ce_time", now)) if event_type(record.headers) == wanted else record
            for record in await super().fetch(limit, wait_ms)
        ]


class Doubling(PartitionReader):
    """A reader that hands over each new example once more, under the next number."""

    async def fetch(self, limit: int = 500, wait_ms: int = 200) -> list[Incoming]:
        """Return records, examples twice."""
        fetched = await super().fetch(limit, wait_ms)
        return [twin for record in fetched for twin in _twins(record)]


def forgetful(connect: Connect) -> Connect:
    """Return what opens connections whose effect ledger lasts as long as they do."""

    async def opened(dsn: str, application: str) -> Connection:
        connection = await connect(dsn, application)
        await connection.execute("create temp table effect (like ops.effect including all)")
        return _rewriting(connection, lambda text: text.replace("ops.effect", "pg_temp.effect"))

    return opened


def asking_again(connect: Connect) -> Connect:
    """Return what opens connections; whoever supervises asks over its own, first of all, for the last steps once more."""

    async def opened(dsn: str, application: str) -> Connection:
        connection = await connect(dsn, application)
        if application == SUPERVISORS:
            rows = await (await connection.execute(_LAST_ASKED)).fetchall()
            pairs = [(row, msgspec.json.decode(row[2], type=Headers)) for row in rows]
            asked = [Outgoing(row[0], bytes(row[1]), headers, bytes(row[3])) for row, headers in pairs if _is_step(headers)]
            await outbox.put(connection, [_under_a_new_id(record) for record in asked[:_MOST_AGAIN]])
        return connection

    return opened


def without_inbox(connect: Connect) -> Connect:
    """Return what opens connections to which every event is new."""
    known, new = "on conflict (event_id) do nothing", "on conflict (event_id) do update set event_id = excluded.event_id"

    async def opened(dsn: str, application: str) -> Connection:
        return _rewriting(await connect(dsn, application), lambda text: text.replace(known, new))

    return opened


def bent(make: MakePublisher, bend: Bend) -> MakePublisher:
    """Return what makes publishers that publish something else than they were given."""

    def made(kafka: str, client_id: str) -> Publisher:
        publisher = make(kafka, client_id)
        honest = publisher.publish

        async def publish(records: Sequence[Outgoing]) -> list[Published]:
            return await honest(bend(list(records)))

        publisher.publish = publish  # type: ignore[method-assign]  # this is what a planted bug is
        return publisher

    return made


def belated(make: MakePublisher) -> MakePublisher:
    """Return what makes publishers that say they have published, and do it a second later."""

    def made(kafka: str, client_id: str) -> Publisher:
        publisher = make(kafka, client_id)
        honest = publisher.publish
        sending: set[asyncio.Task[list[Published]]] = set()

        async def later(records: Sequence[Outgoing]) -> list[Published]:
            await asyncio.sleep(_BELATED_S)
            return await honest(records)

        async def publish(records: Sequence[Outgoing]) -> list[Published]:
            sending.add(asyncio.create_task(later(records)))
            return []

        publisher.publish = publish  # type: ignore[method-assign]  # as above
        return publisher

    return made


def swapped(records: list[Outgoing]) -> list[Outgoing]:
    """Return records with two neighbours of one key the other way round, if there are any."""
    for index in range(len(records) - 1):
        if (records[index].topic, records[index].key) == (records[index + 1].topic, records[index + 1].key):
            return [*records[:index], records[index + 1], records[index], *records[index + 2 :]]
    return records


def repeated(records: list[Outgoing]) -> list[Outgoing]:
    """Return records with the ends of attempts there twice, the second time under an id of their own."""
    return [twin for record in records for twin in _renamed(record)]


def _renamed(record: Outgoing) -> list[Outgoing]:
    if event_type(record.headers) != AttemptEnded.event_type.wire_name:
        return [record]
    name = dict(record.headers)["ce_id"].decode()
    return [record, replace(record, headers=_with(record.headers, "ce_id", str(uuid.uuid5(uuid.UUID(name), "again")).encode()))]


def _is_step(headers: Headers) -> bool:
    """Return whether a request asks for a step of a plan."""
    return event_type(headers) == SubmitTask.event_type.wire_name and dict(headers)["ce_source"] == SUPERVISOR.encode()


def _under_a_new_id(record: Outgoing) -> Outgoing:
    """Return a request as somebody would send it who draws its id."""
    name = str(uuid.uuid4())
    return replace(record, key=name.encode(), headers=_with(record.headers, "ce_id", name.encode()))


def _twins(record: Incoming) -> list[Incoming]:
    if event_type(record.headers) != ExampleRecorded.event_type.wire_name or record.value is None:
        return [record]
    fact = msgspec.json.decode(record.value, type=ExampleRecorded)
    return [record, replace(record, value=msgspec.json.encode(replace(fact, sequence=fact.sequence + 1)))]


def _with(headers: Headers, name: str, content: bytes) -> Headers:
    return tuple((header, content if header == name else old) for header, old in headers)


def _columns(moves: Iterable[Move]) -> tuple[list[str], list[int], list[int]]:
    ordered = sorted(moves, key=lambda move: (move.topic, move.partition))
    return [move.topic for move in ordered], [move.partition for move in ordered], [move.new for move in ordered]


def _rewriting(connection: Connection, rewrite: Rewrite) -> Connection:
    """Return the connection; from here on its statements are rewritten before they are run."""
    honest = connection.execute

    async def execute(query: Any, params: Any = None, **options: Any) -> Any:
        return await honest(rewrite(text_of(query)).encode(), params, **options)

    connection.execute = execute  # type: ignore[method-assign]  # as above
    return connection
