"""The event log: every fact once, by id; it is the inbox of the projections, so read models see only what it took in."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct
from psycopg.errors import UniqueViolation
from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from projections.column import TIME, metadata
from projections.projection import Compared, Logged, fetch
from projections.view import view_of
from store.postgres import Connection

PARTITIONS = 8
_ENCODER = msgspec.json.Encoder()


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
_COPY = f"copy {event_log.name} ({_NAMES}) from stdin"
# For the rare batch that holds an event which is in the log already. A copy would have no partitions and no index.
_ASIDE = f"create temporary table told_aside on commit drop as select {_NAMES} from {event_log.name} with no data"  # noqa: S608
_COPY_ASIDE = f"copy told_aside ({_NAMES}) from stdin"
_INSERT = f"""
insert into {event_log.name} ({_NAMES}) select {_NAMES} from told_aside
on conflict (event_id) do nothing returning event_id::text"""  # noqa: S608 names are our own
_NULL = r"\N"
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})  # in Postgres' text format of COPY


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


async def take_in(connection: Connection, facts: Sequence[tuple[Logged, bytes]]) -> list[Logged]:
    """Add facts, each with its row (`row_of`), and return those whose id is new, in order; call it inside the step.

    Nearly always all of them are: they are copied straight into the log, and only if one was there already another way is taken.
    """
    first = {logged.event.id: (logged, row) for logged, row in reversed(facts)}
    if not first:
        return []
    told = b"".join([first[event_id][1] for event_id in sorted(first)])
    try:
        async with connection.transaction():
            await _copy(connection, _COPY, told)
        fresh: AbstractSet[str] = first.keys()
    except UniqueViolation:
        fresh = await _add_unknown(connection, told)
    return [logged for logged, _ in facts if logged.event.id in fresh and first[logged.event.id][0] is logged]


async def _add_unknown(connection: Connection, told: bytes) -> set[str]:
    """Add the rows whose ids are not in the log, and return those ids."""
    await connection.execute(_ASIDE.encode())
    await _copy(connection, _COPY_ASIDE, told)
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


def row_of(logged: Logged, value: bytes) -> bytes:
    """Return the log's row of a fact as `COPY` reads it, in the order of the columns, with the digest of its bytes in Kafka."""
    envelope, fact = logged.event.envelope, logged.event.fact
    kind, trace = fact.event_type, envelope.traceparent
    head = _texts((envelope.id, kind.name, str(kind.version), logged.topic, str(logged.partition), str(logged.offset)))
    whose = _texts((fact.key, fact.tenant, envelope.source, envelope.correlation_id, envelope.causation_id))
    tail = f"{envelope.time.isoformat()}\t{_NULL if trace is None else _texts((trace,))}"
    payload = _ENCODER.encode(fact).replace(b"\\", b"\\\\")  # JSON holds no other byte that means something to COPY
    return b"%b\t%b\t\\\\x%b\n" % (f"{head}\t{whose}\t{tail}".encode(), payload, sha256(value).hexdigest().encode())


def _texts(texts: Sequence[str]) -> str:
    """Return texts as fields of a line; nearly none holds anything that has to be escaped."""
    line = "\t".join(texts)
    if "\\" in line or "\n" in line or "\r" in line or line.count("\t") >= len(texts):
        return "\t".join([text.translate(_ESCAPED) for text in texts])
    return line
