"""Keys that wait: after a record that a fold could not read, the later ones of the same key are set aside too, in order.

A row is one record set aside; a key waits as long as it has one. The oldest goes first: a replay of it is let through and
takes its row away, whatever else comes for the key joins the end of its line. All other keys flow.
"""

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import BigInteger, Column, Identity, Index, LargeBinary, Table, Text

from store.metadata import metadata
from store.postgres import Connection

held_record = Table(
    "held_record",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="order within the key's line"),
    Column("consumer", Text, nullable=False, comment="who could not read on"),
    Column("topic", Text, nullable=False, comment="Kafka topic"),
    Column("key", LargeBinary, nullable=False, comment="Kafka key that waits"),
    Column("place", Text, nullable=False, comment="where the record first lay, as topic/partition/offset"),
    Index("held_record_line", "consumer", "topic", "key", "id"),
    Index("held_record_place", "consumer", "place", unique=True),
    comment="Records set aside because they, or one before them of the same key, could not be read; dead letters hold them.",
)

_ANY = "select exists (select from ops.held_record where consumer = %s)"
_LINES = """
select held.topic, held.key, held.place from ops.held_record as held
join (select distinct * from unnest(%s::text[], %s::bytea[]) as wanted(topic, key)) as wanted using (topic, key)
where held.consumer = %s order by held.id"""
_JOIN = """
insert into ops.held_record (consumer, topic, key, place)
select %s, * from unnest(%s::text[], %s::bytea[], %s::text[])
on conflict do nothing"""
_LEAVE = "delete from ops.held_record where place = any(%s) and (%s::text is null or consumer = %s)"

Key = tuple[str, bytes]


class Held(Struct, frozen=True):
    """One record in a key's line."""

    topic: str
    key: bytes
    place: str


async def any_held(connection: Connection, consumer: str) -> bool:
    """Say whether any key waits for this consumer."""
    row = await (await connection.execute(_ANY, (consumer,))).fetchone()
    return bool(row and row[0])


async def lines(connection: Connection, consumer: str, keys: Sequence[Key]) -> dict[Key, list[str]]:
    """Return the places of the records that wait under these keys, oldest first; a key that flows is absent."""
    columns = ([topic for topic, _ in keys], [key for _, key in keys])
    found: dict[Key, list[str]] = {}
    for topic, key, place in await (await connection.execute(_LINES, (*columns, consumer))).fetchall():
        found.setdefault((topic, bytes(key)), []).append(place)
    return found


async def join(connection: Connection, consumer: str, records: Sequence[Held]) -> None:
    """Add records to the lines of their keys, in order; one that stands in line keeps its place."""
    columns = ([one.topic for one in records], [one.key for one in records], [one.place for one in records])
    await connection.execute(_JOIN, (consumer, *columns))


async def leave(connection: Connection, places: Sequence[str], consumer: str | None = None) -> None:
    """Take records out of line: they were read at last, or somebody gave them up (for every consumer)."""
    await connection.execute(_LEAVE, (list(places), consumer, consumer))
