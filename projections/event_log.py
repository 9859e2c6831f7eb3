"""The event log: every fact once, by id; it is the inbox of the projections, so read models see only what it took in."""

from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from events.event import EventType, Fact
from projections.column import TIME, metadata
from projections.projection import Compared, Logged, fetch
from projections.view import view_of
from store import copied
from store.postgres import Connection

PARTITIONS = 8
_ENCODER = msgspec.json.Encoder()
TakeIn = Callable[[Connection, AbstractSet[str], bytes], Awaitable[AbstractSet[str]]]  # connection, ids, block
LogRow = bytes  # as COPY reads it


def _fixed(name: str, kind: Any, comment: str, *, nullable: bool = False) -> Column[Any]:
    """Return a column that never changes once written."""
    return Column(name, kind, nullable=nullable, comment=comment)


event_log = Table(
    "event_log_v1",
    metadata,
    Column("event_id", Uuid, primary_key=True, comment="id of the event: the first in the log wins"),
    _fixed("type", Text, "name of the event"),
    _fixed("version", Integer, "version that the payload is written in"),
    _fixed("topic", Text, "Kafka topic"),
    _fixed("partition", Integer, "Kafka partition"),
    _fixed("log_offset", BigInteger, "Kafka offset"),
    _fixed("key", Text, "Kafka key: facts of one key are in order"),
    _fixed("tenant", Text, "whose fact it is"),
    _fixed("source", Text, "which part of the system wrote it"),
    _fixed("correlation_id", Text, "the story that it belongs to"),
    _fixed("causation_id", Text, "id of the event just before"),
    _fixed("occurred_at", TIME, "when it happened"),
    _fixed("traceparent", Text, "W3C trace context", nullable=True),
    _fixed("payload", JSONB, "the fact"),
    _fixed("value_sha256", LargeBinary, "sha256 of the record's bytes in Kafka"),
    Index("event_log_v1_story", "correlation_id"),
    Index("event_log_v1_place", "topic", "partition", "log_offset"),
    comment="Every fact once, in the words of Kafka: inbox of the read models, and what a rebuild starts from.",
    postgresql_partition_by="HASH (event_id)",
)
EVENTS_VIEW = view_of("events", event_log)
_PLACES = f"(select event_id, topic, partition, log_offset, value_sha256 from {event_log.name}) as places"  # noqa: S608
EVENTS_COMPARED = Compared("events", _PLACES, ("event_id",))
_NAMES = ", ".join(column.name for column in event_log.columns)
_WIDTH = len(event_log.columns)
_COPY = f"copy {event_log.name} ({_NAMES}) from stdin (format binary)"
# For the rare batch that holds an event which is in the log already. A copy would have no partitions and no index.
_ASIDE = f"create temporary table told_aside on commit drop as select {_NAMES} from {event_log.name} with no data"  # noqa: S608
_COPY_ASIDE = f"copy told_aside ({_NAMES}) from stdin (format binary)"
_INSERT = f"""
insert into {event_log.name} ({_NAMES}) select {_NAMES} from told_aside
on conflict (event_id) do nothing returning event_id::text"""  # noqa: S608 names are our own


def partitions(schema: str) -> list[str]:
    """Return the SQL that makes the log's partitions in a schema."""
    log = f"{schema}.{event_log.name}"
    return [
        f"create table {log}_p{number} partition of {log} for values with (modulus {PARTITIONS}, remainder {number})"
        for number in range(PARTITIONS)
    ]


class EventRow(Struct, frozen=True, kw_only=True):
    """One event as it stands in the log."""

    event_id: str
    type: str
    version: int
    topic: str
    partition: int
    log_offset: int
    tenant: str
    source: str
    correlation_id: str
    causation_id: str
    occurred_at: datetime
    traceparent: str | None
    payload: dict[str, Any]


_READ = ", ".join(EventRow.__struct_fields__).replace("event_id", "event_id::text as event_id", 1)


def block_of(facts: Mapping[str, LogRow]) -> bytes:
    """Return what `COPY` takes in, sorted by id: neighbours in the index are written together."""
    return b"".join([copied.BEGIN, *[facts[event_id] for event_id in sorted(facts)], copied.END])


async def take_in(connection: Connection, event_ids: AbstractSet[str], block: bytes) -> AbstractSet[str]:
    """Add a block of facts with these ids, and return those that are new: all of them; call it inside the step.

    Raises:
        UniqueViolation: one was there already, which is rare; nothing is written, and `take_in_unknown` takes another way.
    """
    if event_ids:
        await _copy(connection, _COPY, block)
    return event_ids


async def take_in_unknown(connection: Connection, _event_ids: AbstractSet[str], block: bytes) -> AbstractSet[str]:
    """Add those of a block whose ids are not in the log, and return these; call it inside the step."""
    await connection.execute(_ASIDE.encode())
    await _copy(connection, _COPY_ASIDE, block)
    cursor = await connection.execute(_INSERT.encode())
    fresh = {event_id for (event_id,) in await cursor.fetchall()}
    await connection.execute(b"drop table told_aside")
    return fresh


async def _copy(connection: Connection, statement: str, told: bytes) -> None:
    async with connection.cursor().copy(statement.encode()) as copy:
        await copy.write(told)


async def story(connection: Connection, correlation_id: str) -> list[EventRow]:
    """Return all events of one story, in the order they happened."""
    query = f"""select {_READ} from public.events where correlation_id = %s
        order by occurred_at, topic, partition, log_offset"""  # noqa: S608 names are our own
    return await fetch(connection, EventRow, query, (correlation_id,))


async def is_known(connection: Connection, correlation_id: str) -> bool:
    """Say whether any event of a story is in the log."""
    query = "select exists (select from public.events where correlation_id = %s)"
    row = await (await connection.execute(query, (correlation_id,))).fetchone()
    return bool(row and row[0])


async def events_of_type(
    connection: Connection, name: str, *, after: tuple[str, int, int] = ("", -1, -1), limit: int = 1000
) -> list[EventRow]:
    """Return events of one type after a place (topic, partition, offset), in the order of places."""
    query = f"""select {_READ} from public.events
        where type = %s and (topic, partition, log_offset) > (%s, %s, %s)
        order by topic, partition, log_offset limit %s"""  # noqa: S608 names are our own
    return await fetch(connection, EventRow, query, (name, *after, limit))


def row_of(logged: Logged, value: bytes) -> LogRow:
    """Return the log's row of a fact as `COPY` reads it, in the order of the columns, with the digest of its bytes in Kafka."""
    envelope, fact = logged.event.envelope, logged.event.fact
    trace = envelope.traceparent
    return copied.row(
        _WIDTH,
        copied.uuid(envelope.id),
        _kind(fact.event_type, logged.topic, logged.partition),
        copied.bigint(logged.offset),
        copied.text(fact.key),
        _whose(fact.tenant, envelope.source),
        copied.text(envelope.correlation_id),
        copied.text(envelope.causation_id),
        copied.time(envelope.time),
        copied.NULL if trace is None else copied.text(trace),
        copied.jsonb(_payload(fact)),
        copied.binary(sha256(value).digest()),
    )


def _payload(fact: Fact) -> bytes:
    """Return a fact as JSON, without what its class keeps out of the log."""
    if not fact.unlogged:
        return _ENCODER.encode(fact)
    return _ENCODER.encode({name: getattr(fact, name) for name in fact.__struct_fields__ if name not in fact.unlogged})


@lru_cache(maxsize=1_024)
def _kind(kind: EventType, topic: str, partition: int) -> bytes:
    """Return four columns that many facts have in common: what it is, and where it lies."""
    return copied.text(kind.name) + copied.integer(kind.version) + copied.text(topic) + copied.integer(partition)


@lru_cache(maxsize=1_024)
def _whose(tenant: str, source: str) -> bytes:
    """Return two columns that many facts have in common."""
    return copied.text(tenant) + copied.text(source)
