"""Workers that live elsewhere: who is there, what each of them has, and until when it may take.

Postgres's clock alone decides who is there and what has timed out. Call what changes rows inside the caller's transaction.
"""

from collections.abc import Sequence
from typing import Any, LiteralString

import msgspec
from msgspec import Struct
from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, Table, Text, text

from events.agent import AgentSpec
from events.event import Envelope
from events.task import ChoiceContext, TaskSubmitted
from store.claim import Claimed, Hold
from store.metadata import metadata
from store.postgres import Connection

_NOW = text("now()")

remote_worker = Table(
    "remote_worker",
    metadata,
    Column("holder", Text, primary_key=True, comment="what its attempts are claimed as: tenant, source and worker"),
    Column("tenant", Text, nullable=False, comment="whose request topic it speaks on"),
    Column("source", Text, nullable=False, comment="ce_source of what it says"),
    Column("worker", Text, nullable=False, comment="what it calls itself"),
    Column("pool", Text, nullable=False, comment="pool that it serves"),
    Column("capacity", Integer, nullable=False, comment="attempts that it does at a time; 0: it has gone"),
    Column("about", Text, nullable=False, comment="what it says of itself"),
    Column(
        "announced_at", DateTime(timezone=True), nullable=False, server_default=_NOW, comment="first heard of since it last began"
    ),
    Column("seen_at", DateTime(timezone=True), nullable=False, server_default=_NOW, comment="last heard of"),
    Column("session", Text, nullable=True, comment="ce_id of its last announcement; null: not heard"),
    comment="Workers that live elsewhere, as they announced themselves.",
)
remote_attempt = Table(
    "remote_attempt",
    metadata,
    Column("task_id", Text, primary_key=True, comment="task"),
    Column("attempt", Integer, primary_key=True, autoincrement=False, comment="attempt at it"),
    Column("epoch", BigInteger, nullable=False, comment="claim under which it was given away"),
    Column("holder", Text, nullable=False, comment="worker that has it"),
    Column("claimed_at", DateTime(timezone=True), nullable=False, server_default=_NOW, comment="given away at"),
    Column("due_at", DateTime(timezone=True), nullable=False, comment="has timed out from then on"),
    Index("remote_attempt_due", "due_at"),
    comment="Attempts that are with workers elsewhere.",
)

remote_word = Table(
    "remote_word",
    metadata,
    Column("tenant", Text, primary_key=True, comment="whose request topic it was said on"),
    Column("source", Text, primary_key=True, comment="ce_source of who said it"),
    Column("word_id", Text, primary_key=True, comment="ce_id of what was said"),
    Column("said_at", DateTime(timezone=True), nullable=False, server_default=_NOW, comment="first read at"),
    Index("remote_word_said", "said_at"),
    comment="Signed signs of life of the last minutes: each counts once.",
)

_HEAR = """
insert into ops.remote_worker (holder, tenant, source, worker, pool, capacity, about, session)
values (%s, %s, %s, %s, %s, %s, %s, %s)
on conflict (holder) do update set pool = excluded.pool, capacity = excluded.capacity, seen_at = now(),
  about = case when %s then excluded.about else ops.remote_worker.about end,
  announced_at = case when %s then now() else ops.remote_worker.announced_at end,
  session = coalesce(excluded.session, ops.remote_worker.session)"""
_SPECS = """
select tenant, pool, spec from ops.work_agent where state <> 'retired' and pool = any(%s::text[]) order by tenant, agent_id"""
_RENEW = """
with held as (
  select attempt.task_id, attempt.attempt
  from unnest(%s::text[], %s::int[], %s::bigint[]) as held(task_id, attempt, epoch)
  join ops.work_attempt as attempt using (task_id, attempt, epoch)
  where attempt.state = 'running' and attempt.worker = %s order by task_id, attempt for update of attempt
)
update ops.work_attempt as attempt set lease_until = now() + make_interval(secs => %s)
from held where attempt.task_id = held.task_id and attempt.attempt = held.attempt
returning attempt.task_id, attempt.attempt, attempt.epoch"""
_TAKE_BACK = """
with held as (
  select task_id, attempt from ops.work_attempt
  where state = 'running' and worker = %s order by task_id, attempt for update
)
update ops.work_attempt as attempt set state = 'queued', lease_until = null
from held where attempt.task_id = held.task_id and attempt.attempt = held.attempt
returning attempt.agent, attempt.pool"""
_FREE = """
select tenant, source, worker, pool, session, capacity - (
  select count(*) from ops.remote_attempt as given
  join ops.work_attempt as attempt using (task_id, attempt, epoch)
  where given.holder = known.holder and attempt.state = 'running')
from ops.remote_worker as known
where capacity > 0 and seen_at > now() - make_interval(secs => %s) order by seen_at, holder"""
_GIVE = """
insert into ops.remote_attempt (task_id, attempt, epoch, holder, due_at)
select task_id, attempt, epoch, %s, least(now() + make_interval(secs => timeout_s), deadline)
from unnest(%s::text[], %s::int[], %s::bigint[], %s::float8[], %s::timestamptz[])
  as row(task_id, attempt, epoch, timeout_s, deadline)
on conflict (task_id, attempt) do update set epoch = excluded.epoch, holder = excluded.holder, claimed_at = now(),
  due_at = excluded.due_at"""
_COLUMNS: LiteralString = """
select attempt.task_id, attempt.attempt, attempt.epoch, attempt.state, coalesce(attempt.worker, ''), attempt.context,
  attempt.cause, task.fact, agent.spec,
  greatest(0, coalesce(extract(epoch from clock_timestamp() - given.claimed_at) * 1000000, 0))::bigint
"""
_STANDING = (
    _COLUMNS
    + """from unnest(%s::text[], %s::int[]) as asked(task_id, attempt)
join ops.work_attempt as attempt using (task_id, attempt)
join ops.work_task as task using (task_id)
join ops.work_agent as agent on agent.tenant = attempt.tenant and agent.agent_id = attempt.agent
left join ops.remote_attempt as given on given.task_id = attempt.task_id and given.attempt = attempt.attempt
  and given.epoch = attempt.epoch"""
)
_OVERDUE = (
    _COLUMNS
    + """from ops.remote_attempt as given
join ops.work_attempt as attempt using (task_id, attempt, epoch)
join ops.work_task as task using (task_id)
join ops.work_agent as agent on agent.tenant = attempt.tenant and agent.agent_id = attempt.agent
where given.due_at < now() and attempt.state = 'running' and attempt.worker = given.holder
order by given.due_at limit %s"""
)
_FORGET = """
delete from ops.remote_attempt as given where not exists (
  select from ops.work_attempt as attempt
  where attempt.task_id = given.task_id and attempt.attempt = given.attempt and attempt.epoch = given.epoch
    and attempt.state = 'running')"""
_SAY = """
insert into ops.remote_word (tenant, source, word_id)
select distinct * from unnest(%s::text[], %s::text[], %s::text[])
on conflict do nothing returning tenant, source, word_id"""
_FORGET_WORDS = "delete from ops.remote_word where said_at < now() - interval '10 minutes'"  # they count for one
_FORGET_WORKERS = "delete from ops.remote_worker where seen_at < now() - make_interval(days => %s)"
_WORKERS = """
select known.tenant, known.source, known.worker, known.pool, known.capacity, known.about, known.announced_at, known.seen_at, (
  select count(*) from ops.work_attempt as attempt where attempt.state = 'running' and attempt.worker = known.holder)
from ops.remote_worker as known where tenant = %s order by pool, source, worker"""


class Worker(Struct, frozen=True):
    """A worker elsewhere: `tenant` by the topic that it speaks on, `source` and `name` by its own word; `pool` is a label."""

    tenant: str
    source: str
    name: str
    pool: str
    capacity: int
    about: str = ""
    session: str | None = None

    @property
    def holder(self) -> str:
        """Return what it claims as: no two workers share it."""
        return f"{self.tenant}:{self.source}#{self.name}"


class Standing(Struct, frozen=True):
    """An attempt as the queue has it, with all that it takes to end it."""

    claimed: Claimed
    state: str
    duration_us: int


class Seen(Struct, frozen=True):
    """A worker elsewhere, for people."""

    tenant: str
    source: str
    worker: str
    pool: str
    capacity: int
    about: str
    announced_at: Any
    seen_at: Any
    busy: int


async def hear(connection: Connection, worker: Worker) -> None:
    """Note that a worker lives; one with a session has just begun."""
    row = (worker.holder, worker.tenant, worker.source, worker.name, worker.pool, worker.capacity, worker.about, worker.session)
    anew = worker.session is not None
    await connection.execute(_HEAR, (*row, anew, anew))


async def specs(connection: Connection, pools: Sequence[str]) -> dict[str, list[AgentSpec]]:
    """Return the agents of pools that are not retired."""
    found: dict[str, list[AgentSpec]] = {}
    for _, pool, spec in await (await connection.execute(_SPECS, (list(pools),))).fetchall():
        found.setdefault(pool, []).append(msgspec.json.decode(bytes(spec), type=AgentSpec))
    return found


async def renew(connection: Connection, holder: str, holds: Sequence[Hold], lease_s: float) -> set[Hold]:
    """Prolong the leases of those of these attempts that the worker has; return them."""
    if not holds:
        return set()
    columns = ([one.task_id for one in holds], [one.attempt for one in holds], [one.epoch for one in holds])
    return {Hold(*row) for row in await (await connection.execute(_RENEW, (*columns, holder, lease_s))).fetchall()}


async def first_said(connection: Connection, words: Sequence[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """Note words by tenant, source and id; return those that nobody had said before."""
    if not words:
        return set()
    columns = tuple([word[place] for word in words] for place in range(3))
    return {(tenant, source, word) for tenant, source, word in await (await connection.execute(_SAY, columns)).fetchall()}


async def take_back(connection: Connection, holder: str) -> list[tuple[str, str]]:
    """Queue again all that a worker has; return agent and pool of each."""
    return [(agent, pool) for agent, pool in await (await connection.execute(_TAKE_BACK, (holder,))).fetchall()]


async def free(connection: Connection, patience_s: float) -> list[tuple[Worker, int]]:
    """Return workers that were heard of just now, with how many more attempts each of them would take."""
    cursor = await connection.execute(_FREE, (patience_s,))
    rows = await cursor.fetchall()
    found = [
        (Worker(tenant, source, name, pool, 0, session=session), int(room)) for tenant, source, name, pool, session, room in rows
    ]
    return [(worker, room) for worker, room in found if room > 0]


async def give(connection: Connection, holder: str, claimed: Sequence[Claimed]) -> None:
    """Note that attempts were given to a worker, and until when it may take."""
    columns = (
        [one.hold.task_id for one in claimed],
        [one.hold.attempt for one in claimed],
        [one.hold.epoch for one in claimed],
        [one.spec.timeout_s for one in claimed],
        [one.task.deadline for one in claimed],
    )
    await connection.execute(_GIVE, (holder, *columns))


async def standings(connection: Connection, attempts: Sequence[tuple[str, int]]) -> dict[tuple[str, int], Standing]:
    """Return how attempts stand, by task and number; one that nobody knows is absent."""
    cursor = await connection.execute(_STANDING, ([task for task, _ in attempts], [number for _, number in attempts]))
    found = [_standing(row) for row in await cursor.fetchall()]
    return {(one.claimed.hold.task_id, one.claimed.hold.attempt): one for one in found}


async def overdue(connection: Connection, limit: int) -> list[Standing]:
    """Return attempts whose worker took longer than it may."""
    return [_standing(row) for row in await (await connection.execute(_OVERDUE, (limit,))).fetchall()]


async def forget(connection: Connection, keep_days: int = 7) -> None:
    """Delete what is over, and workers that were not heard of for days."""
    await connection.execute(_FORGET)
    await connection.execute(_FORGET_WORDS)
    await connection.execute(_FORGET_WORKERS, (keep_days,))


async def workers(connection: Connection, tenant: str) -> list[Seen]:
    """Return a tenant's workers elsewhere."""
    return [Seen(*row) for row in await (await connection.execute(_WORKERS, (tenant,))).fetchall()]


def _standing(row: tuple[Any, ...]) -> Standing:
    task_id, attempt, epoch, state, worker, context, cause, fact, spec, duration_us = row
    claimed = Claimed(
        Hold(task_id, attempt, epoch),
        worker,
        msgspec.json.decode(fact, type=TaskSubmitted),
        msgspec.json.decode(spec, type=AgentSpec),
        msgspec.json.decode(context, type=ChoiceContext),
        msgspec.json.decode(cause, type=Envelope),
    )
    return Standing(claimed, state, int(duration_us))
