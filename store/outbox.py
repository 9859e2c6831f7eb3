"""The outbox: records written in the transaction of the rows they tell of, published by a relay afterwards.

Ids are given when a row is inserted and become visible when it is committed. So `put` comes after the lock of what the
key names (the task's row): then id order is commit order for each key, which is all the order that Kafka keeps.
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, LargeBinary, SmallInteger, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from events.wire import Outgoing
from store.errors import Fenced
from store.metadata import metadata
from store.postgres import Connection

SHARDS = 8  # stored in rows: growing it waits until the outbox is empty

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="order of publication within a shard"),
    Column("shard", SmallInteger, nullable=False, comment="crc32 of the key modulo the number of shards"),
    Column("topic", Text, nullable=False, comment="Kafka topic"),
    Column("key", LargeBinary, nullable=False, comment="Kafka key"),
    Column("headers", JSONB, nullable=False, comment="Kafka headers as pairs of name and base64"),
    Column("value", LargeBinary, nullable=False, comment="Kafka value"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()"), comment="written at"),
    Column("published_at", DateTime(timezone=True), comment="acknowledged by the broker at; null: not yet"),
    Index("outbox_unpublished", "shard", "id", postgresql_where=text("published_at is null")),
    comment="Records that committed with the rows they tell of and wait for, or had, their publication.",
)

_PUT = """
with put as (
  insert into ops.outbox (shard, topic, key, headers, value)
  select shard, topic, decode(key, 'base64'), headers, decode(value, 'base64')
  from jsonb_to_recordset(%s::jsonb) as row(shard int, topic text, key text, headers jsonb, value text)
)
select pg_notify('outbox', '')"""
_UNPUBLISHED = """
select id, shard, topic, key, headers::text, value from ops.outbox
where published_at is null and shard = any(%s::int[]) order by id limit %s"""
_MARK = """
update ops.outbox set published_at = now()
from unnest(%s::int[], %s::bigint[]) as held(shard, epoch)
join ops.relay_lease as lease on lease.shard = held.shard and lease.epoch = held.epoch
where outbox.id = any(%s::bigint[]) and outbox.shard = held.shard"""
_PURGE = """
delete from ops.outbox
where id in (select id from ops.outbox order by id limit %s)
  and published_at < now() - make_interval(secs => %s)"""
_FORGET = "delete from ops.outbox where topic = %s and key = %s and published_at is not null"
_DEPTH = "select count(*), extract(epoch from now() - min(created_at)) from ops.outbox where published_at is null"


class Waiting(Struct, frozen=True):
    """One row that waits for its publication."""

    id: int
    shard: int
    record: Outgoing


class _Row(Struct, frozen=True):
    shard: int
    topic: str
    key: bytes
    headers: tuple[tuple[str, bytes], ...]
    value: bytes


def shard_of(key: bytes) -> int:
    """Return the shard of a key: all records of one key are published by one relay, in order."""
    return zlib.crc32(key) % SHARDS


async def put(connection: Connection, records: Sequence[Outgoing]) -> None:
    """Write records in the caller's transaction and wake the relay when it commits."""
    if records:
        rows = [_Row(shard_of(record.key), record.topic, record.key, record.headers, record.value) for record in records]
        await connection.execute(_PUT, (msgspec.json.encode(rows).decode(),))


async def unpublished(connection: Connection, shards: Sequence[int], limit: int) -> list[Waiting]:
    """Return the oldest rows of these shards that wait, in id order."""
    cursor = await connection.execute(_UNPUBLISHED, (list(shards), limit))
    return [_waiting(row) for row in await cursor.fetchall()]


async def mark(connection: Connection, rows: Sequence[Waiting], epochs: Mapping[int, int]) -> None:
    """Mark rows as published, those whose shards are still held under these epochs.

    Raises:
        Fenced: another relay holds one of the shards.
    """
    ids = [row.id for row in rows]
    cursor = await connection.execute(_MARK, (list(epochs), list(epochs.values()), ids))
    if cursor.rowcount != len(ids):
        raise Fenced("another relay took over a shard of ours; what we published carries the same ids")


async def purge(connection: Connection, limit: int, keep_s: float) -> int:
    """Delete up to `limit` of the oldest rows, those published at least `keep_s` ago; return how many."""
    cursor = await connection.execute(_PURGE, (limit, keep_s))
    return cursor.rowcount


async def forget(connection: Connection, topic: str, key: bytes) -> None:
    """Delete what was published of a topic and key: the log has it, and here it may have to be gone."""
    await connection.execute(_FORGET, (topic, key))


async def depth(connection: Connection) -> tuple[int, float]:
    """Return how many rows wait for publication, and for how many seconds the oldest has."""
    row = await (await connection.execute(_DEPTH)).fetchone()
    return (int(row[0]), float(row[1] or 0.0)) if row else (0, 0.0)


def _waiting(row: tuple[Any, ...]) -> Waiting:
    """Return a row as it is in the table."""
    headers = msgspec.json.decode(row[4], type=tuple[tuple[str, bytes], ...])
    return Waiting(row[0], row[1], Outgoing(row[2], bytes(row[3]), headers, bytes(row[5])))
