"""The evidence: the whole log, what the clients and the providers saw, and the tables as they stand."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from bus.cluster import look
from bus.reader import PartitionReader, Place
from events.errors import EventError
from events.event import Event, Fact, Message
from events.topics import Names
from events.wire import Incoming, decode
from smolit.chaos.history import Entry
from smolit.chaos.provider import Line
from smolit.chaos.world import World
from store.postgres import Connection, connect, snapshot

Rows = Sequence[tuple[Any, ...]]

_QUERIES: Mapping[str, str] = {
    "positions": "select consumer, topic, partition, next from ops.fold_position",
    "inbox": "select consumer, event_id::text from ops.fold_inbox",
    "claims": "select request_key::text, origin from ops.request_claim",
    "outbox": "select topic, headers, published_at is not null from ops.outbox order by id",
    "applied": """select event_id::text, topic, partition, log_offset, value_sha256, xmin::text::bigint
        from g1.event_log_v1""",
    "tally": "select topic, partition, applied, parked, repeated from public.fold_tally",
    "parked": "select origin_topic, origin_partition, origin_offset from public.dead_letters where stage = 'projections'",
    "tasks": "select task_id, state from ops.work_task",
    "attempts": "select task_id, attempt, agent, state from ops.work_attempt",
    "effects": "select task_id, step, state from ops.effect",
    "snapshots": "select tenant, scope, policy, upto, sequence, digest, state from ops.policy_snapshot",
}


@dataclass(frozen=True)
class Log:
    """Every record, by topic in the order of each partition; `first` holds the first record of each event id."""

    names: Names
    topics: Mapping[str, Sequence[Incoming]]
    events: Mapping[tuple[Place, int], Event[Message]]
    first: Mapping[str, tuple[Incoming, Event[Message]]]
    unreadable: Sequence[Incoming] = ()

    def facts(self, *classes: type[Fact]) -> "list[tuple[Incoming, Event[Any]]]":
        """Return the first record of each fact of these classes, partition by partition in order."""
        return [(record, event) for record, event in self.first.values() if isinstance(event.fact, classes)]

    def ends(self, topic: str) -> dict[int, int]:
        """Return the offset after the last record of each partition that has any."""
        return {record.partition: record.offset + 1 for record in self.topics.get(topic, ())}


@dataclass(frozen=True)
class Evidence:
    """All that a verdict rests on. Tables were read before the log; `settled`: nothing moved any more meanwhile."""

    log: Log
    history: Sequence[Entry]
    once: Sequence[Line]
    plain: Sequence[Line]
    tables: Mapping[str, Rows] = field(default_factory=dict)
    settled: bool = True

    @property
    def acknowledged(self) -> list[Entry]:
        """Return the requests that were acknowledged."""
        return [entry for entry in self.history if entry.outcome == "ok"]

    def behind(self, consumer: str, record: Incoming) -> bool:
        """Return whether a fold has passed a record."""
        return record.offset < self.positions.get((consumer, record.topic, record.partition), 0)

    @functools.cached_property
    def positions(self) -> Mapping[tuple[str, str, int], int]:
        """Return where each fold stands in each partition."""
        return {(row[0], row[1], row[2]): row[3] for row in self.tables["positions"]}


async def read_tables(world: World) -> dict[str, Rows]:
    """Return the tables that the checks look at, as of one moment."""
    connection = await connect(world.postgres, "chaos-check")
    try:
        async with snapshot(connection):
            return {name: await _rows(connection, query) for name, query in _QUERIES.items()}
    finally:
        await connection.close()


async def read_log(world: World) -> Log:
    """Return every record of every topic of a world."""
    seen = await look(world.kafka)
    topics = sorted(world.names.all(world.settings.tenants))
    reader = PartitionReader(world.kafka, "chaos-check")
    await reader.start({(topic, number): 0 for topic in topics for number in range(seen[topic].partitions)})
    try:
        return sort_log(world.names, await _read(reader))
    finally:
        await reader.stop()


async def _read(reader: PartitionReader) -> list[Incoming]:
    """Return all records up to the ends seen now."""
    behind = {place: end for place, end in (await reader.ends()).items() if end}
    records: list[Incoming] = []
    while behind:
        records += await reader.fetch(limit=5_000)
        behind = {place: end for place, end in behind.items() if await reader.position(*place) < end}
    return records


def sort_log(names: Names, records: Sequence[Incoming]) -> Log:
    """Return records as evidence."""
    topics: dict[str, list[Incoming]] = {}
    events: dict[tuple[Place, int], Event[Message]] = {}
    first: dict[str, tuple[Incoming, Event[Message]]] = {}
    unreadable: list[Incoming] = []
    for record in sorted(records, key=lambda record: (record.topic, record.partition, record.offset)):
        topics.setdefault(record.topic, []).append(record)
        try:
            event = decode(record.headers, record.value)
        except EventError:
            unreadable.append(record)
            continue
        events[(record.topic, record.partition), record.offset] = event
        if isinstance(event.fact, Fact):
            first.setdefault(event.id, (record, event))
    return Log(names, topics, events, first, unreadable)


def event_ids(headers: Any) -> str:
    """Return the event id among the headers of an outbox row."""
    pairs = msgspec.convert(headers, list[tuple[str, str]])
    return next(msgspec.convert(content, bytes).decode() for name, content in pairs if name == "ce_id")


async def _rows(connection: Connection, query: str) -> Rows:
    cursor = await connection.execute(query.encode())
    return await cursor.fetchall()
