"""The work queue: tasks, attempts and agents as dispatch read them from the log; queue, lease and state in one place.

Facts are kept as they came (JSON bytes): what only the worker needs is no column, and no text of a stranger can be
refused by Postgres. Everything here runs inside the caller's transaction.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, LargeBinary, SmallInteger, Table, Text, text

from events.agent import AgentSpec
from events.control import AgentState
from events.event import Envelope
from events.pool import HOUSE, pool_of
from events.task import AgentChosen, TaskSubmitted
from store.metadata import metadata
from store.postgres import Connection

work_task = Table(
    "work_task",
    metadata,
    Column("task_id", Text, primary_key=True, comment="task"),
    Column("tenant", Text, nullable=False, comment="whose task it is"),
    Column("state", Text, nullable=False, comment="open, completed, failed, cancelled or expired"),
    Column("priority", SmallInteger, nullable=False, comment="9 first, 0 last"),
    Column("deadline", DateTime(timezone=True), nullable=False, comment="ends as expired from then on"),
    Column("fact", LargeBinary, nullable=False, comment="task.submitted as JSON"),
    Column("cause", LargeBinary, nullable=False, comment="envelope of task.submitted as JSON"),
    Column("queued_at", DateTime(timezone=True), nullable=False, server_default=text("now()"), comment="read at"),
    Column("ended_at", DateTime(timezone=True), comment="ended at; null while open"),
    Index("work_task_due", "deadline", postgresql_where=text("state = 'open'")),
    Index("work_task_ended", "ended_at", postgresql_where=text("state <> 'open'")),
    comment="Tasks that dispatch has read, until long after their end, which comes once, by compare-and-swap on the state.",
)
work_attempt = Table(
    "work_attempt",
    metadata,
    Column("task_id", Text, primary_key=True, comment="task"),
    Column("attempt", Integer, primary_key=True, autoincrement=False, comment="number of the choice, from 1"),
    Column("tenant", Text, nullable=False, comment="whose task it is"),
    Column("agent", Text, nullable=False, comment="agent that was chosen first in the log"),
    Column("state", Text, nullable=False, comment="queued, running, completed, failed, timed_out or abandoned"),
    Column("priority", SmallInteger, nullable=False, comment="9 first, 0 last"),
    Column("queued_at", DateTime(timezone=True), nullable=False, server_default=text("now()"), comment="queued at"),
    Column("not_before", DateTime(timezone=True), nullable=False, comment="claimed no earlier: retries are spread"),
    Column("epoch", BigInteger, nullable=False, server_default=text("0"), comment="claims so far; fences older ones"),
    Column("worker", Text, comment="worker that runs it, or ran it last"),
    Column("lease_until", DateTime(timezone=True), comment="queued again from then on; null unless running"),
    Column("started_at", DateTime(timezone=True), comment="first claimed at"),
    Column("ended_at", DateTime(timezone=True), comment="ended at"),
    Column("context", LargeBinary, nullable=False, comment="the choice's context as JSON"),
    Column("cause", LargeBinary, nullable=False, comment="envelope of agent.chosen as JSON"),
    Column("pool", Text, nullable=False, server_default=text("''"), comment="workers that may claim it; empty: the house's"),
    Index("work_attempt_queue", "pool", text("priority desc"), "queued_at", "task_id", postgresql_where=text("state = 'queued'")),
    Index("work_attempt_lease", "lease_until", postgresql_where=text("state = 'running'")),
    comment="Every attempt: its place in the queue, its lease and its state.",
)
work_agent = Table(
    "work_agent",
    metadata,
    Column("tenant", Text, primary_key=True, comment="whose agent it is"),
    Column("agent_id", Text, primary_key=True, comment="agent"),
    Column("state", Text, nullable=False, comment="active, paused or retired"),
    Column("spec", LargeBinary, nullable=False, comment="its spec as JSON"),
    Column("digest", Text, nullable=False, comment="names the spec's content"),
    Column("pool", Text, nullable=False, server_default=text("''"), comment="workers that run it; empty: the house's"),
    comment="Agents as last registered or revised: what a worker runs, and whether it may be claimed.",
)

_ADD_TASKS = """
insert into ops.work_task (task_id, tenant, state, priority, deadline, fact, cause)
select task_id, tenant, 'open', priority, deadline, decode(fact, 'base64'), decode(cause, 'base64')
from jsonb_to_recordset(%s::jsonb) as row(
  task_id text, tenant text, priority int, deadline timestamptz, fact text, cause text)
on conflict do nothing"""
_ADD_ATTEMPTS = """
with row as (
  select * from jsonb_to_recordset(%s::jsonb) as row(
    task_id text, attempt int, agent text, delay_s float8, context text, cause text)
), added as (
  insert into ops.work_attempt (task_id, attempt, tenant, agent, state, priority, not_before, context, cause, pool)
  select row.task_id, attempt, task.tenant, agent, 'queued', task.priority, now() + make_interval(secs => delay_s),
    decode(context, 'base64'), decode(row.cause, 'base64'), coalesce((
      select pool from ops.work_agent as known where known.tenant = task.tenant and known.agent_id = row.agent), '')
  from row cross join lateral (
    select tenant, priority, state from ops.work_task as task where task.task_id = row.task_id offset 0) as task
  where task.state = 'open'
  on conflict do nothing
  returning task_id, attempt, pool
)
select task_id, attempt, pool from added"""
_SPEC = "select spec from ops.work_agent where tenant = %s and agent_id = %s"
_PUT_AGENT = """
insert into ops.work_agent (tenant, agent_id, state, spec, digest, pool) values (%s, %s, 'active', %s, %s, %s)
on conflict (tenant, agent_id) do update set spec = excluded.spec, digest = excluded.digest, pool = excluded.pool,
  state = case when %s then ops.work_agent.state else 'active' end"""
_SET_AGENT = """
update ops.work_agent set state = %s where tenant = %s and agent_id = %s and state <> 'retired' returning pool"""
_SERVING = """
select distinct agent_id from ops.work_agent
where state <> 'retired' and pool = %s and (%s::text[] is null or agent_id = any(%s::text[])) order by agent_id"""
_SPECS = "select spec from ops.work_agent where tenant = %s and state <> 'retired' order by agent_id"
_DIGESTS = "select agent_id, case when state = 'retired' then '' else digest end from ops.work_agent where tenant = %s"
_POOLS = "select distinct pool from ops.work_agent where state <> 'retired' and pool <> '' order by pool"
# A choice may be read before the agent that was chosen, and an agent may move: who claims asks for both to be the same.
_MOVE = """
with strayed as (
  select attempt.task_id, attempt.attempt, agent.pool from ops.work_attempt as attempt
  join ops.work_agent as agent on agent.tenant = attempt.tenant and agent.agent_id = attempt.agent
  where attempt.state = 'queued' and attempt.pool <> agent.pool
  order by attempt.task_id, attempt.attempt limit %s for update of attempt skip locked
)
update ops.work_attempt as attempt set pool = strayed.pool
from strayed where attempt.task_id = strayed.task_id and attempt.attempt = strayed.attempt
returning attempt.agent, attempt.pool"""
_QUEUED = """
select agent, count(*), extract(epoch from now() - min(queued_at)) from ops.work_attempt
where state = 'queued' and not_before <= now() group by agent order by agent"""
_UNCHOSEN = """
select count(*), extract(epoch from now() - min(queued_at)) from ops.work_task as task
where state = 'open' and not exists (
  select from ops.work_attempt as attempt
  where attempt.task_id = task.task_id and attempt.state in ('queued', 'running'))"""


class NewTask(Struct, frozen=True):
    """A task to enter: the fact and its envelope."""

    fact: TaskSubmitted
    cause: Envelope


class NewAttempt(Struct, frozen=True):
    """An attempt to queue: the choice, its envelope, and how many seconds it is held back."""

    fact: AgentChosen
    cause: Envelope
    delay_s: float

    @property
    def key(self) -> tuple[str, int]:
        """Return what names it in the queue."""
        return self.fact.task_id, self.fact.attempt


class Backlog(Struct, frozen=True):
    """Attempts of one agent that wait for a worker (`agent` None: tasks that wait for a choice)."""

    agent: str | None
    waiting: int
    oldest_s: float


async def add_tasks(connection: Connection, tasks: Sequence[NewTask]) -> int:
    """Enter tasks; one that is known stays as it is. Return how many are new."""
    if not tasks:
        return 0
    cursor = await connection.execute(_ADD_TASKS, (_json([_task_row(task) for task in tasks]),))
    return cursor.rowcount


async def add_attempts(connection: Connection, attempts: Sequence[NewAttempt]) -> dict[tuple[str, int], str]:
    """Queue the first attempt of each (task, attempt); return those that are new, with the pool that has to be rung for.

    The tasks must be locked, or one that ends meanwhile would keep an attempt that nobody claims.
    """
    if not attempts:
        return {}
    cursor = await connection.execute(_ADD_ATTEMPTS, (_json([_attempt_row(attempt) for attempt in attempts]),))
    return {(task_id, attempt): pool for task_id, attempt, pool in await cursor.fetchall()}


async def spec_of(connection: Connection, tenant: str, agent_id: str) -> bytes | None:
    """Return an agent's spec as JSON; None for one that nobody registered."""
    row = await (await connection.execute(_SPEC, (tenant, agent_id))).fetchone()
    return bytes(row[0]) if row else None


async def put_agent(connection: Connection, tenant: str, spec: AgentSpec, digest: str, keep_state: bool) -> None:
    """Enter or replace an agent's spec; it becomes active unless its state is kept."""
    row = (tenant, spec.id, msgspec.json.encode(spec), digest, pool_of(tenant, spec), keep_state)
    await connection.execute(_PUT_AGENT, row)


async def set_agent(connection: Connection, tenant: str, agent_id: str, state: AgentState) -> str | None:
    """Change an agent's state, unless it is retired; return the pool of one that changed."""
    cursor = await connection.execute(_SET_AGENT, (state, tenant, agent_id))
    row = await cursor.fetchone()
    return str(row[0]) if row else None


async def serving(connection: Connection, agents: Sequence[str] | None, pool: str = HOUSE) -> tuple[str, ...]:
    """Return the agents of a pool, of those named (None: all), that are not retired, sorted."""
    named = None if agents is None else list(agents)
    cursor = await connection.execute(_SERVING, (pool, named, named))
    return tuple(row[0] for row in await cursor.fetchall())


async def specs(connection: Connection, tenant: str) -> list[bytes]:
    """Return the specs of a tenant's agents that have not left, as JSON."""
    return [bytes(row[0]) for row in await (await connection.execute(_SPECS, (tenant,))).fetchall()]


async def digests(connection: Connection, tenant: str) -> dict[str, str]:
    """Return the digest of the spec of each of a tenant's agents; that of one that has retired is empty."""
    cursor = await connection.execute(_DIGESTS, (tenant,))
    rows: list[tuple[str, str]] = await cursor.fetchall()
    return dict(rows)


async def pools(connection: Connection) -> tuple[str, ...]:
    """Return every pool beside the house's own that an agent has which is not retired, sorted."""
    return tuple(row[0] for row in await (await connection.execute(_POOLS)).fetchall())


async def move_strayed(connection: Connection, limit: int) -> list[tuple[str, str]]:
    """Give queued attempts the pool that their agent has now; return agent and pool of each that moved."""
    cursor = await connection.execute(_MOVE, (limit,))
    return [(agent, pool) for agent, pool in await cursor.fetchall()]


async def backlog(connection: Connection) -> list[Backlog]:
    """Return what waits: attempts for a worker, by agent, and tasks for a choice."""
    queued = await (await connection.execute(_QUEUED)).fetchall()
    unchosen = await (await connection.execute(_UNCHOSEN)).fetchall()
    rows = [*queued, *((None, *row) for row in unchosen if row[0])]
    return [Backlog(agent, int(waiting), float(oldest)) for agent, waiting, oldest in rows]


def _task_row(task: NewTask) -> dict[str, Any]:
    """Return the columns of a new task."""
    fact = task.fact
    return {
        "task_id": fact.task_id,
        "tenant": fact.tenant,
        "priority": fact.priority,
        "deadline": fact.deadline,
        "fact": msgspec.json.encode(fact),
        "cause": msgspec.json.encode(task.cause),
    }


def _attempt_row(attempt: NewAttempt) -> dict[str, Any]:
    """Return the columns of a new attempt."""
    return {
        "task_id": attempt.fact.task_id,
        "attempt": attempt.fact.attempt,
        "agent": attempt.fact.agent,
        "delay_s": attempt.delay_s,
        "context": msgspec.json.encode(attempt.fact.context),
        "cause": msgspec.json.encode(attempt.cause),
    }


def _json(rows: list[dict[str, Any]]) -> str:
    """Return rows as one JSON parameter; bytes become base64."""
    return msgspec.json.encode(rows).decode()
