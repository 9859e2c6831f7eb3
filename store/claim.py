"""Claims: a worker takes queued attempts under a lease, keeps it alive, and gives back what it cannot end.

Postgres's clock alone decides on leases; a claim's epoch fences every claim before it.
"""

from collections.abc import Sequence
from typing import LiteralString

import msgspec
from msgspec import Struct

from events.agent import AgentSpec
from events.event import Envelope
from events.pool import HOUSE
from events.task import ChoiceContext, TaskSubmitted
from store import room
from store.postgres import Connection

# Only the attempt is locked: an end locks the task first, then its attempts, so the two never wait in a ring. Who gets less
# than it asked for has room left, and offers it in the same statement. `offset 0` lets Postgres find tasks by their key alone: if
# few were open when it last looked, it would rather read all that are open for each attempt.
_CLAIM = """
with chosen as (
  select attempt.task_id, attempt.attempt, task.fact, agent.spec
  from ops.work_attempt as attempt
  cross join lateral (
    select fact, state, deadline from ops.work_task as task where task.task_id = attempt.task_id offset 0) as task
  join ops.work_agent as agent
    on agent.tenant = attempt.tenant and agent.agent_id = attempt.agent and agent.pool = attempt.pool and agent.state = 'active'
  where attempt.state = 'queued' and attempt.pool = %(pool)s and attempt.not_before <= now()
    and task.state = 'open' and task.deadline > now()
    and (%(agents)s::text[] is null or attempt.agent = any(%(agents)s::text[]))
  order by attempt.priority desc, attempt.queued_at, attempt.task_id
  limit %(room)s
  for update of attempt skip locked
), offered as (
  insert into ops.work_room (worker, bell, agents, room, pool)
  select %(worker)s, %(bell)s, %(agents)s::text[], %(room)s - count(*), %(pool)s from chosen having count(*) < %(room)s
  on conflict (worker) do nothing
)
update ops.work_attempt as attempt set state = 'running', worker = %(worker)s, epoch = attempt.epoch + 1,
  lease_until = now() + make_interval(secs => %(lease_s)s), started_at = coalesce(started_at, now())
from chosen
where attempt.task_id = chosen.task_id and attempt.attempt = chosen.attempt
returning attempt.task_id, attempt.attempt, attempt.epoch, attempt.context, attempt.cause, chosen.fact, chosen.spec"""
_ANY = "select exists (select from ops.work_attempt where state = 'queued' and pool = %s and not_before <= now())"
# Whoever locks several attempts and waits for them locks them in the order of their keys: no deadlocks.
_RENEW = """
with held as (
  select attempt.task_id, attempt.attempt
  from unnest(%s::text[], %s::int[], %s::bigint[]) as held(task_id, attempt, epoch)
  join ops.work_attempt as attempt using (task_id, attempt, epoch)
  where attempt.state = 'running' order by task_id, attempt for update of attempt
)
update ops.work_attempt as attempt set lease_until = now() + make_interval(secs => %s)
from held where attempt.task_id = held.task_id and attempt.attempt = held.attempt
returning attempt.task_id, attempt.attempt, attempt.epoch"""
_GIVE_BACK = """
with held as (
  select attempt.task_id, attempt.attempt
  from unnest(%s::text[], %s::int[], %s::bigint[]) as held(task_id, attempt, epoch)
  join ops.work_attempt as attempt using (task_id, attempt, epoch)
  where attempt.state = 'running' order by task_id, attempt for update of attempt
), back as (
  update ops.work_attempt as attempt set state = 'queued', lease_until = null
  from held where attempt.task_id = held.task_id and attempt.attempt = held.attempt
  returning attempt.agent, attempt.pool
)
select agent, pool from back"""
_REQUEUE = """
with late as (
  select task_id, attempt from ops.work_attempt
  where state = 'running' and lease_until < now() and epoch < %s
  order by lease_until limit %s for update skip locked
), back as (
  update ops.work_attempt as attempt set state = 'queued', lease_until = null
  from late where attempt.task_id = late.task_id and attempt.attempt = late.attempt
  returning attempt.agent, attempt.pool
)
select agent, pool from back"""

_LATE = """
select coalesce(worker, ''), count(*), extract(epoch from now() - min(lease_until)) from ops.work_attempt
where state = 'running' and lease_until < now() - make_interval(secs => %s) group by worker order by worker"""


class Hold(Struct, frozen=True):
    """One attempt under one claim."""

    task_id: str
    attempt: int
    epoch: int


class Claimed(Struct, frozen=True):
    """An attempt that is ours until its lease runs out, with all that it takes to do it."""

    hold: Hold
    worker: str
    task: TaskSubmitted
    spec: AgentSpec
    context: ChoiceContext
    cause: Envelope


class Late(Struct, frozen=True):
    """A worker whose leases ran out, with what it still holds: it is gone, and nobody has queued its work again."""

    worker: str
    attempts: int
    longest_s: float


async def late(connection: Connection, grace_s: float) -> list[Late]:
    """Return workers that hold attempts whose lease ran out longer ago than the grace."""
    cursor = await connection.execute(_LATE, (grace_s,))
    return [Late(worker, int(attempts), float(longest)) for worker, attempts, longest in await cursor.fetchall()]


async def any_queued(connection: Connection, pool: str = HOUSE) -> bool:
    """Say whether anything may be there to claim in a pool: far cheaper than a claim."""
    row = await (await connection.execute(_ANY, (pool,))).fetchone()
    return bool(row and row[0])


async def claim(
    connection: Connection,
    worker: str,
    agents: Sequence[str] | None,
    limit: int,
    lease_s: float,
    pool: str = HOUSE,
    bell: str | None = None,
) -> list[Claimed]:
    """Take up to `limit` attempts of these agents of a pool (None: all), urgent ones first, then old ones.

    Attempts of a paused agent stay queued, so do those of a task that has ended or is past its deadline. `bell`: who is rung
    when there is more to do; None: the worker.
    """
    named = None if agents is None else list(agents)
    told = {"worker": worker, "agents": named, "room": limit, "lease_s": lease_s, "pool": pool}
    told["bell"] = bell or room.bell_of(worker)
    cursor = await connection.execute(_CLAIM, told)
    return [
        Claimed(
            Hold(task_id, attempt, epoch),
            worker,
            msgspec.json.decode(fact, type=TaskSubmitted),
            msgspec.json.decode(spec, type=AgentSpec),
            msgspec.json.decode(context, type=ChoiceContext),
            msgspec.json.decode(cause, type=Envelope),
        )
        for task_id, attempt, epoch, context, cause, fact, spec in await cursor.fetchall()
    ]


async def renew(connection: Connection, holds: Sequence[Hold], lease_s: float) -> set[Hold]:
    """Prolong the leases of these attempts; return those still ours. The others ended or were taken over."""
    if not holds:
        return set()
    cursor = await connection.execute(_RENEW, (*_columns(holds), lease_s))
    return {Hold(*row) for row in await cursor.fetchall()}


async def give_back(connection: Connection, holds: Sequence[Hold]) -> int:
    """Queue attempts again that we hold and will not end, outside of a transaction; return how many."""
    return await _queue_again(connection, _GIVE_BACK, _columns(holds)) if holds else 0


async def requeue_late(connection: Connection, limit: int, most_claims: int) -> int:
    """Queue attempts again whose lease ran out, to be claimed under the next epoch, outside of a transaction; return how many.

    One that was claimed `most_claims` times is left alone: it may be what its workers die of.
    """
    return await _queue_again(connection, _REQUEUE, (most_claims, limit))


async def _queue_again(connection: Connection, statement: LiteralString, parameters: Sequence[object]) -> int:
    """Run a statement that queues attempts, and ring for them; return how many."""
    back = [(agent, pool) for agent, pool in await (await connection.execute(statement, parameters)).fetchall()]
    await room.ring_all(connection, back)
    return len(back)


def _columns(holds: Sequence[Hold]) -> tuple[list[str], list[int], list[int]]:
    """Return holds as columns."""
    return [hold.task_id for hold in holds], [hold.attempt for hold in holds], [hold.epoch for hold in holds]
