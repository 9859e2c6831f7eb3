"""Calls that wait for a person: what is asked, until when, and what was said. One per task, tool and arguments.

Lock order everywhere: tasks by id, then attempts, then approvals. Call what changes rows inside one transaction with the outbox.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import Column, DateTime, Index, Integer, LargeBinary, Table, Text, text

from events.event import Envelope
from store.claim import Hold
from store.metadata import metadata
from store.postgres import Connection

State = Literal["open", "granted", "denied", "expired"]

approval = Table(
    "approval",
    metadata,
    Column("approval_id", Text, primary_key=True, comment="follows from task, tool and arguments"),
    Column("tenant", Text, nullable=False, comment="whose task it is"),
    Column("task_id", Text, nullable=False, comment="task that waits"),
    Column("attempt", Integer, nullable=False, comment="attempt that asked first"),
    Column("agent", Text, nullable=False, comment="agent that wants to call"),
    Column("tool", Text, nullable=False, comment="what it wants to call"),
    Column("effect", Text, nullable=False, comment="what that may change: write or outside"),
    Column("why", Text, nullable=False, comment="why a person is asked: grant, rule, or tainted"),
    Column("arguments", LargeBinary, nullable=False, comment="the arguments as JSON"),
    Column("arguments_sha256", Text, nullable=False, comment="digest of the arguments"),
    Column("state", Text, nullable=False, comment="open, granted, denied or expired"),
    Column("asked_at", DateTime(timezone=True), nullable=False, server_default=text("now()"), comment="asked at"),
    Column("expires_at", DateTime(timezone=True), nullable=False, comment="denied from then on"),
    Column("answered_by", Text, comment="who answered; null: nobody"),
    Column("reason", Text, comment="why, in their words"),
    Column("settled_at", DateTime(timezone=True), comment="since when that counts"),
    Column("cause", LargeBinary, nullable=False, comment="envelope of approval.asked as JSON"),
    Index("approval_open", "expires_at", postgresql_where=text("state = 'open'")),
    Index("approval_task", "task_id"),
    comment="Calls of tools that wait, or waited, for a person.",
)

_COLUMNS = """approval_id, tenant, task_id, attempt, agent, tool, effect, why, arguments, arguments_sha256, state, asked_at,
  expires_at, answered_by, reason, settled_at"""
_STATE = "select state from ops.approval where approval_id = %s"
_ADD = """
insert into ops.approval (approval_id, tenant, task_id, attempt, agent, tool, effect, why, arguments, arguments_sha256, state,
  expires_at, cause)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'open', %s, %s) on conflict do nothing"""
_LOCK = "select state from ops.approval where approval_id = %s for update"
# An attempt that waits is queued for when its question expires; whoever settles it lets it go on at once.
_REST = """
update ops.work_attempt as attempt set state = 'queued', lease_until = null,
  not_before = case when %(over)s then now() else %(until)s end
from ops.work_task as task
where task.task_id = attempt.task_id and attempt.task_id = %(task_id)s and attempt.attempt = %(attempt)s
  and attempt.epoch = %(epoch)s and attempt.worker = %(worker)s and attempt.state = 'running' and task.state = 'open'"""
_SETTLE = """
update ops.approval set state = %s, answered_by = %s, reason = %s, settled_at = now()
where approval_id = %s and tenant = %s and task_id = %s and arguments_sha256 = %s and state = 'open' and expires_at > now()
returning cause"""
_EXPIRE = """
with late as (
  select approval_id from ops.approval where state = 'open' and expires_at <= now()
  order by expires_at limit %s for update skip locked)
update ops.approval as one set state = 'expired', settled_at = now() from late where late.approval_id = one.approval_id
returning one.approval_id, one.tenant, one.task_id, one.cause"""
_WAKE = """
update ops.work_attempt set not_before = now()
where task_id = any(%s::text[]) and state = 'queued' and not_before > now() returning agent, pool"""
_LIST = f"""
select {_COLUMNS} from ops.approval where tenant = %s and (%s::text is null or state = %s) and (%s::text is null or task_id = %s)
order by asked_at desc, approval_id limit %s"""  # noqa: S608 columns are ours
_ONE = f"select {_COLUMNS} from ops.approval where tenant = %s and starts_with(approval_id, %s) limit 2"  # noqa: S608 ours
_PURGE = """
with gone as (
  select approval_id from ops.approval as one
  where settled_at < now() - make_interval(days => %s)
    and not exists (select from ops.work_task as task where task.task_id = one.task_id)
  order by settled_at limit %s for update skip locked
)
delete from ops.approval as one using gone where one.approval_id = gone.approval_id"""


class New(Struct, frozen=True):
    """A question to enter."""

    approval_id: str
    tenant: str
    task_id: str
    attempt: int
    agent: str
    tool: str
    effect: str
    why: str
    arguments: bytes
    arguments_sha256: str
    expires_at: datetime
    cause: bytes


class Approval(Struct, frozen=True):
    """A question as it stands, for people."""

    approval_id: str
    tenant: str
    task_id: str
    attempt: int
    agent: str
    tool: str
    effect: str
    why: str
    arguments: Any
    arguments_sha256: str
    state: State
    asked_at: datetime
    expires_at: datetime
    answered_by: str | None
    reason: str | None
    settled_at: datetime | None


class Expired(Struct, frozen=True):
    """A question that nobody answered in time, and what asked it."""

    approval_id: str
    tenant: str
    task_id: str
    cause: Envelope


async def state(connection: Connection, approval_id: str) -> State | None:
    """Return how a question stands; None: it was never asked."""
    row = await (await connection.execute(_STATE, (approval_id,))).fetchone()
    return row[0] if row else None


async def ask(connection: Connection, new: New) -> State:
    """Enter a question unless it is known, lock it, and return how it stands."""
    row = (new.approval_id, new.tenant, new.task_id, new.attempt, new.agent, new.tool, new.effect, new.why, new.arguments)
    await connection.execute(_ADD, (*row, new.arguments_sha256, new.expires_at, new.cause))
    found = await (await connection.execute(_LOCK, (new.approval_id,))).fetchone()
    assert found
    return found[0]  # type: ignore[no-any-return]


async def rest(connection: Connection, worker: str, hold: Hold, until: datetime, over: bool) -> bool:
    """Lay an attempt aside until its question is settled; false: it is no longer ours."""
    told = {
        "over": over, "until": until, "worker": worker,
        "task_id": hold.task_id, "attempt": hold.attempt, "epoch": hold.epoch,
    }  # fmt: skip
    return (await connection.execute(_REST, told)).rowcount == 1


async def settle(
    connection: Connection, approval_id: str, tenant: str, task_id: str, sha256: str, state: State, by: str, reason: str
) -> Envelope | None:
    """Let an answer count; return what asked, or None where there is no such open question, or it has expired."""
    cursor = await connection.execute(_SETTLE, (state, by, reason, approval_id, tenant, task_id, sha256))
    row = await cursor.fetchone()
    return msgspec.json.decode(bytes(row[0]), type=Envelope) if row else None


async def expire(connection: Connection, limit: int) -> list[Expired]:
    """Settle questions whose time is up: nobody said yes."""
    found = await (await connection.execute(_EXPIRE, (limit,))).fetchall()
    return [
        Expired(approval_id, tenant, task_id, msgspec.json.decode(bytes(cause), type=Envelope))
        for approval_id, tenant, task_id, cause in found
    ]


async def wake(connection: Connection, task_ids: Sequence[str]) -> list[tuple[str, str]]:
    """Let resting attempts be claimed; return agent and pool of each, for which somebody has to ring after the commit."""
    return [(agent, pool) for agent, pool in await (await connection.execute(_WAKE, (list(task_ids),))).fetchall()]


async def listed(connection: Connection, tenant: str, state: State | None, task_id: str | None, limit: int) -> list[Approval]:
    """Return a tenant's questions, the newest first; of one state, of one task."""
    cursor = await connection.execute(_LIST, (tenant, state, state, task_id, task_id, limit))
    return [_shown(row) for row in await cursor.fetchall()]


async def named(connection: Connection, tenant: str, beginning: str) -> list[Approval]:
    """Return the questions whose id begins so; two are enough to say that it is not one."""
    return [_shown(row) for row in await (await connection.execute(_ONE, (tenant, beginning))).fetchall()]


async def purge(connection: Connection, keep_days: int, limit: int) -> int:
    """Delete questions that were settled longer ago and whose tasks are gone; return how many."""
    return (await connection.execute(_PURGE, (keep_days, limit))).rowcount


def _shown(row: tuple[Any, ...]) -> Approval:
    read: tuple[Any, ...] = (*row[:8], msgspec.json.decode(bytes(row[8])), *row[9:])
    return Approval(*read)
