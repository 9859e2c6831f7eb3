"""The durable fold: positions, inbox and rows move together, in one Postgres transaction.

The position moves by compare-and-swap: who finds it elsewhere is a zombie, writes nothing and stops. Kafka's group
offset is a metric only. Source of the idea: DESIGN.md 6.2; measured against two broken variants in tests/e2e.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

from msgspec import Struct
from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, Table, Text, Uuid, text

from store.errors import Fenced
from store.metadata import metadata
from store.postgres import Connection

fold_position = Table(
    "fold_position",
    metadata,
    Column("consumer", Text, primary_key=True, comment="who folds"),
    Column("topic", Text, primary_key=True, comment="Kafka topic"),
    Column("partition", Integer, primary_key=True, comment="Kafka partition"),
    Column("next", BigInteger, nullable=False, comment="offset of the first record not yet applied"),
    comment="How far each durable fold has come; moves only by compare-and-swap.",
)
fold_inbox = Table(
    "fold_inbox",
    metadata,
    Column("consumer", Text, primary_key=True, comment="who folds"),
    Column("event_id", Uuid, primary_key=True, comment="id of an event that was taken in"),
    Column("taken_at", DateTime(timezone=True), nullable=False, server_default=text("now()"), comment="taken in at"),
    Index("fold_inbox_taken", "taken_at"),
    comment="Event ids that a fold has taken in: the first in the log wins, repeats are counted and dropped.",
)

_OPEN = """
insert into ops.fold_position (consumer, topic, partition, next)
select %s, topic, partition, 0 from unnest(%s::text[], %s::int[]) as place(topic, partition)
on conflict do nothing"""
_READ = "select topic, partition, next from ops.fold_position where consumer = %s"
_MOVE = """
update ops.fold_position as position set next = move.new
from unnest(%s::text[], %s::int[], %s::bigint[], %s::bigint[]) as move(topic, partition, old, new)
where position.consumer = %s and position.topic = move.topic and position.partition = move.partition
  and position.next = move.old"""
_TAKE_IN = """
insert into ops.fold_inbox (consumer, event_id) select %s, unnest(%s::uuid[])
on conflict do nothing returning event_id"""


class Move(Struct, frozen=True):
    """One partition's step: from the offset we believe in to the one after the batch."""

    topic: str
    partition: int
    old: int
    new: int


class DurableFold:
    """Positions of one consumer, and the transactions that move them."""

    def __init__(self, consumer: str, connection: Connection) -> None:
        self.consumer = consumer
        self._connection = connection

    async def positions(self, places: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Return where to start reading each (topic, partition); a new one starts at zero."""
        topics, partitions = [place[0] for place in places], [place[1] for place in places]
        await self._connection.execute(_OPEN, (self.consumer, topics, partitions))
        cursor = await self._connection.execute(_READ, (self.consumer,))
        known = {(topic, partition): position for topic, partition, position in await cursor.fetchall()}
        return {place: known[place] for place in places}

    @asynccontextmanager
    async def step(self, moves: Iterable[Move]) -> AsyncIterator[Connection]:
        """Open the transaction that moves these positions; rows written inside commit with them or not at all.

        Raises:
            Fenced: a position is not where we left it.
        """
        async with self._connection.transaction():
            await self.move(moves)
            yield self._connection

    async def move(self, moves: Iterable[Move]) -> None:
        """Move these positions with one statement: by itself where no row goes with them, else as a part of a step.

        Raises:
            Fenced: a position is not where we left it.
        """
        ordered = sorted(moves, key=lambda move: (move.topic, move.partition))  # one lock order: no deadlocks
        columns = (
            [move.topic for move in ordered],
            [move.partition for move in ordered],
            [move.old for move in ordered],
            [move.new for move in ordered],
        )
        cursor = await self._connection.execute(_MOVE, (*columns, self.consumer))
        if cursor.rowcount != len(ordered):
            raise Fenced(f"{self.consumer}: another process moved our position; this one stops")

    async def fresh(self, event_ids: Sequence[str]) -> set[str]:
        """Return those ids that were never taken in before, and remember them; call it inside `step`."""
        cursor = await self._connection.execute(_TAKE_IN, (self.consumer, list(dict.fromkeys(event_ids))))
        return {str(row[0]) for row in await cursor.fetchall()}


MakeFold = Callable[[str, Connection], DurableFold]  # consumer, connection
