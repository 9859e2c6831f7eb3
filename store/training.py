"""What the learning fold remembers of each task, as bytes that only the fold reads."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import BigInteger, Column, DateTime, Index, LargeBinary, Table, Text, Uuid, text

from store.metadata import metadata
from store.postgres import Connection

learning_memory = Table(
    "learning_memory",
    metadata,
    Column("tenant", Text, primary_key=True, comment="whose facts; another tenant's words about a task are kept apart"),
    Column("task_id", Uuid, primary_key=True, comment="the task"),
    Column("memory", LargeBinary, nullable=False, comment="choices, outcomes, feedback and examples so far, as JSON"),
    Column("waiting_since", DateTime(timezone=True), nullable=True, comment="since when feedback waits"),
    Column("waiting_origin", Text, nullable=True, comment="topic/partition/offset of the first feedback that waits"),
    Index("learning_memory_waiting", "waiting_since", postgresql_where=text("waiting_since is not null")),
    comment="State of the learning fold, one row per tenant and task.",
)

learning_sequence = Table(
    "learning_sequence",
    metadata,
    Column("tenant", Text, primary_key=True, comment="whose tasks"),
    Column("scope", Text, primary_key=True, comment="what one policy state covers"),
    Column("last", BigInteger, nullable=False, comment="number of the scope's last example"),
    comment="Numbers of the examples of each scope; its row lock puts concurrent learners in one order.",
)

_COUNT = """
insert into ops.learning_sequence as known (tenant, scope, last) values (%s, %s, %s)
on conflict (tenant, scope) do update set last = known.last + excluded.last returning last"""
_LOAD = "select tenant, task_id, memory from ops.learning_memory where task_id = any(%s::uuid[])"
_SAVE = """
insert into ops.learning_memory (tenant, task_id, memory, waiting_since, waiting_origin)
select * from unnest(%s::text[], %s::uuid[], %s::bytea[], %s::timestamptz[], %s::text[])
on conflict (tenant, task_id) do update set
  memory = excluded.memory,
  waiting_since = case when excluded.waiting_since is null then null
                       else coalesce(learning_memory.waiting_since, excluded.waiting_since) end,
  waiting_origin = case when excluded.waiting_since is null then null
                        else coalesce(learning_memory.waiting_origin, excluded.waiting_origin) end"""
_OVERDUE = """
select memory, waiting_since, waiting_origin from ops.learning_memory
where waiting_since < %s order by waiting_since limit %s for update skip locked"""

Owner = tuple[str, str]  # tenant, task id


class Kept:
    """One task's memory as it is to be saved; `waiting` is (since, origin) while feedback waits for its attempt."""

    __slots__ = ("memory", "waiting")

    def __init__(self, memory: bytes, waiting: tuple[datetime, str] | None) -> None:
        self.memory = memory
        self.waiting = waiting


async def load(connection: Connection, task_ids: Sequence[str]) -> dict[Owner, bytes]:
    """Return the memories of tasks, by tenant and task."""
    cursor = await connection.execute(_LOAD, (list(task_ids),))
    return {(tenant, str(task_id)): bytes(memory) for tenant, task_id, memory in await cursor.fetchall()}


async def save(connection: Connection, memories: Mapping[Owner, Kept]) -> None:
    """Store memories; how long feedback has waited is kept from the first time."""
    ordered = sorted(memories.items(), key=lambda item: item[0])
    await connection.execute(
        _SAVE,
        (
            [tenant for (tenant, _), _ in ordered],
            [task_id for (_, task_id), _ in ordered],
            [kept.memory for _, kept in ordered],
            [kept.waiting[0] if kept.waiting else None for _, kept in ordered],
            [kept.waiting[1] if kept.waiting else None for _, kept in ordered],
        ),
    )


async def overdue(connection: Connection, before: datetime, limit: int) -> list[tuple[bytes, datetime, str]]:
    """Return (memory, since, origin) of tasks whose feedback has waited since before a moment; locks the rows."""
    cursor = await connection.execute(_OVERDUE, (before, limit))
    return [(bytes(memory), since, origin) for memory, since, origin in await cursor.fetchall()]


async def numbers(connection: Connection, tenant: str, scope: str, count: int) -> range:
    """Return the numbers of the scope's next examples; the row stays locked until the transaction ends."""
    cursor = await connection.execute(_COUNT, (tenant, scope, count))
    row = await cursor.fetchone()
    last = int(row[0]) if row else 0
    return range(last - count + 1, last + 1)
