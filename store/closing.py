"""Ends: an attempt and a task end once, by compare-and-swap; who comes second writes nothing.

Lock order everywhere: tasks by id, then their attempts. Call these inside one transaction with the outbox rows.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from events.event import Envelope
from events.task import AttemptOutcome, ChoiceContext, TaskOutcome, TaskSubmitted
from store.claim import Hold
from store.postgres import Connection

# Rows are found by their keys, and only then asked for their state: the indexes of what is open, queued or running hold an entry
# for everything that was so since the last vacuum, and a plan that reads one of them costs more the more has ended.
_LOCK = "select task_id, state from ops.work_task where task_id = any(%s) order by task_id for update"
# One statement, for there is one for every end of work: locks task and attempt, task by task, then ends both. `offset 0` keeps
# Postgres from any other way to them than one by one, and an attempt is asked for by what its task gave: so the task comes first.
_END = """
with ended as materialized (
  select row.task_id, row.attempt, row.epoch, row.outcome, row.task_state
  from (
    select * from jsonb_to_recordset(%s::jsonb) as row(task_id text, attempt int, epoch bigint, outcome text, task_state text)
    order by task_id, attempt) as row
  cross join lateral (
    select task_id, state from ops.work_task as task where task.task_id = row.task_id offset 0 for update) as task
  cross join lateral (
    select state, worker, epoch from ops.work_attempt as attempt
    where attempt.task_id = task.task_id and attempt.attempt = row.attempt offset 0 for update) as attempt
  where task.state = 'open' and attempt.state = 'running' and attempt.worker = %s and attempt.epoch = row.epoch
), attempts as (
  update ops.work_attempt as attempt set state = ended.outcome, ended_at = now(), lease_until = null
  from ended where attempt.task_id = ended.task_id and attempt.attempt = ended.attempt
), tasks as (
  update ops.work_task as task set state = ended.task_state, ended_at = now()
  from ended where task.task_id = ended.task_id and ended.task_state is not null
)
select task_id, attempt, epoch from ended"""
_CLOSE = """
update ops.work_task as task set state = closed.state, ended_at = now()
from unnest(%s::text[], %s::text[]) as closed(task_id, state)
where task.task_id = closed.task_id and task.state = 'open'"""
_LOCK_DUE = """
select task_id from ops.work_task where state = 'open' and deadline < now()
order by deadline limit %s for update skip locked"""
_TASKS = """
select task_id, fact, cause, (
  select count(*) from ops.work_attempt as attempt where attempt.task_id = task.task_id and attempt.epoch > 0)
from ops.work_task as task where task_id = any(%s) order by task_id"""
# `now()` is when our transaction began: an attempt may have been started after that, and committed before our lock.
_ABANDON = """
with unfinished as (
  select task_id, attempt from ops.work_attempt
  where task_id = any(%s) and state in ('queued', 'running') order by task_id, attempt for update
)
update ops.work_attempt as attempt set state = 'abandoned', ended_at = now(), lease_until = null
from unfinished where attempt.task_id = unfinished.task_id and attempt.attempt = unfinished.attempt
returning attempt.task_id, attempt.attempt, agent, coalesce(worker, ''), epoch,
  greatest(0, coalesce((extract(epoch from clock_timestamp() - started_at) * 1000000)::bigint, 0)), context, cause"""
_OF_RETIRED = """
select distinct task.task_id from ops.work_task as task
join ops.work_attempt as attempt on attempt.task_id = task.task_id and attempt.state = 'queued'
join ops.work_agent as agent
  on agent.tenant = attempt.tenant and agent.agent_id = attempt.agent and agent.state = 'retired'
where task.state = 'open' order by task.task_id limit %s"""

_OF_DEADLY = """
select distinct task.task_id from ops.work_task as task
join ops.work_attempt as attempt on attempt.task_id = task.task_id
  and attempt.state = 'running' and attempt.lease_until < now() and attempt.epoch >= %s
where task.state = 'open' order by task.task_id limit %s"""


class AttemptEnd(Struct, frozen=True):
    """How an attempt that we hold ended, and its task with it (None: the task stays open)."""

    hold: Hold
    outcome: AttemptOutcome
    task_state: TaskOutcome | None


class Abandoned(Struct, frozen=True):
    """An attempt that was queued or running when its task ended or its agent left; epoch 0: it never started."""

    task_id: str
    attempt: int
    agent: str
    worker: str
    epoch: int
    duration_us: int
    context: ChoiceContext
    cause: Envelope


class Closed(Struct, frozen=True):
    """A task that was open until now: what was asked, that envelope, attempts ever started, and the unfinished ones."""

    task: TaskSubmitted
    cause: Envelope
    attempts: int
    abandoned: tuple[Abandoned, ...]


async def lock_open(connection: Connection, task_ids: Sequence[str]) -> set[str]:
    """Lock these tasks, and return those that are open."""
    cursor = await connection.execute(_LOCK, (list(task_ids),))
    return {task_id for task_id, state in await cursor.fetchall() if state == "open"}


async def lock_due(connection: Connection, limit: int) -> list[str]:
    """Lock open tasks past their deadline that nobody else has locked, and return them."""
    return [row[0] for row in await (await connection.execute(_LOCK_DUE, (limit,))).fetchall()]


async def of_retired(connection: Connection, limit: int) -> list[str]:
    """Return open tasks with a queued attempt whose agent has retired."""
    return [row[0] for row in await (await connection.execute(_OF_RETIRED, (limit,))).fetchall()]


async def of_deadly(connection: Connection, limit: int, most_claims: int) -> list[str]:
    """Return open tasks with an attempt that outlived this many workers."""
    cursor = await connection.execute(_OF_DEADLY, (most_claims, limit))
    return [row[0] for row in await cursor.fetchall()]


async def end(connection: Connection, worker: str, ends: Sequence[AttemptEnd]) -> set[Hold]:
    """End attempts that this worker holds, and tasks with them; return those that were still its own."""
    rows = [_end_row(one) for one in ends]
    cursor = await connection.execute(_END, (msgspec.json.encode(rows).decode(), worker))
    return {Hold(*row) for row in await cursor.fetchall()}


async def close(connection: Connection, states: Sequence[tuple[str, TaskOutcome]]) -> None:
    """Give locked, open tasks their final state."""
    if states:
        await connection.execute(_CLOSE, ([task_id for task_id, _ in states], [state for _, state in states]))


async def abandon(connection: Connection, task_ids: Sequence[str]) -> list[Closed]:
    """End the unfinished attempts of locked tasks as abandoned; return each task with them."""
    known = await (await connection.execute(_TASKS, (list(task_ids),))).fetchall()
    found = [_abandoned(row) for row in await (await connection.execute(_ABANDON, (list(task_ids),))).fetchall()]
    return [
        Closed(
            msgspec.json.decode(fact, type=TaskSubmitted),
            msgspec.json.decode(cause, type=Envelope),
            attempts,
            tuple(sorted((one for one in found if one.task_id == task_id), key=lambda one: one.attempt)),
        )
        for task_id, fact, cause, attempts in known
    ]


def _end_row(end: AttemptEnd) -> dict[str, Any]:
    """Return the columns of an attempt's end."""
    return {**msgspec.structs.asdict(end.hold), "outcome": end.outcome, "task_state": end.task_state}


def _abandoned(row: tuple[Any, ...]) -> Abandoned:
    """Return an abandoned attempt as the table had it."""
    context = msgspec.json.decode(row[6], type=ChoiceContext)
    task_id, attempt, agent, worker, epoch, duration_us = row[:6]
    return Abandoned(task_id, attempt, agent, worker, epoch, duration_us, context, msgspec.json.decode(row[7], type=Envelope))
