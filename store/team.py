"""Plans of split tasks: how each stands, as one document, and which tasks are parts of which plan.

Lock order everywhere: tasks by id, then attempts, then plans by task and attempt. Call these inside one transaction with the
outbox rows.
"""

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Column, DateTime, Index, Integer, LargeBinary, Table, Text, text

from store.claim import Hold
from store.metadata import metadata
from store.postgres import Connection

team_plan = Table(
    "team_plan",
    metadata,
    Column("task_id", Text, primary_key=True, comment="task that was split"),
    Column("attempt", Integer, primary_key=True, autoincrement=False, comment="attempt that split it"),
    Column("root_id", Text, nullable=False, comment="task that was split first; limits count from there"),
    Column("depth", Integer, nullable=False, comment="supervisors above, this one included"),
    Column("parts", Integer, nullable=False, comment="of the first: tasks that were promised to it and to all below it"),
    Column("most_parts", Integer, nullable=False, comment="of the first: how many there may be"),
    Column("most_depth", Integer, nullable=False, comment="of the first: how deep splitting may go"),
    Column("state", Text, nullable=False, comment="open, completed, partial, failed or given_up"),
    Column("standing", LargeBinary, nullable=False, comment="how it stands, as JSON (agents.team.standing)"),
    Column("cause", LargeBinary, nullable=False, comment="envelope of plan.made as JSON"),
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=text("now()"), comment="made at"),
    Column("ended_at", DateTime(timezone=True), comment="ended at; null while open"),
    Index("team_plan_ended", "ended_at"),
    comment="Tasks that were split into others, and how their plans stand.",
)
team_part = Table(
    "team_part",
    metadata,
    Column("part_id", Text, primary_key=True, comment="task that is a part"),
    Column("task_id", Text, nullable=False, comment="task that was split"),
    Column("attempt", Integer, nullable=False, comment="attempt that split it"),
    Index("team_part_plan", "task_id", "attempt"),
    comment="Tasks that are parts of a plan.",
)

OWN = ""  # stands for the plans of a task itself, beside those that it is part of

_SEAT = """
select above.root_id, above.depth + 1, root.parts, root.most_parts, root.most_depth
from ops.team_part as part
join ops.team_plan as above on above.task_id = part.task_id and above.attempt = part.attempt
join lateral (
  select parts, most_parts, most_depth from ops.team_plan where task_id = above.root_id order by attempt desc limit 1
) as root on true
where part.part_id = %s"""
_READ = "select standing from ops.team_plan where task_id = %s and attempt = %s"
_PROMISE = """
update ops.team_plan set parts = parts + %s
where task_id = %s and attempt = (select max(attempt) from ops.team_plan where task_id = %s) and parts + %s <= most_parts"""
_ADD = """
insert into ops.team_plan (task_id, attempt, root_id, depth, parts, most_parts, most_depth, state, standing, cause)
values (%s, %s, %s, %s, %s, %s, %s, 'open', %s, %s) on conflict do nothing"""
_ADD_PARTS = """
insert into ops.team_part (part_id, task_id, attempt) select unnest(%s::text[]), %s, %s on conflict do nothing"""
_PLANS_OF = """
select part_id, task_id, attempt from ops.team_part where part_id = any(%s)
union all
select '', task_id, attempt from ops.team_plan where task_id = any(%s) and state = 'open'"""
_LOCK = """
select plan.task_id, plan.attempt, state, standing, cause from ops.team_plan as plan
join unnest(%s::text[], %s::int[]) as wanted(task_id, attempt) using (task_id, attempt)
order by task_id, attempt for update of plan"""
_STATE = "select state from ops.team_plan where task_id = %s and attempt = %s for update"
_SAVE = """
update ops.team_plan set standing = %s, state = %s, ended_at = case when %s = 'open' then null else coalesce(ended_at, now()) end
where task_id = %s and attempt = %s"""
# A resting attempt is queued for when its task is past its deadline, so nobody claims it before its plan is over.
_REST = """
update ops.work_attempt as attempt set state = 'queued', lease_until = null,
  not_before = case when %(over)s then now() else task.deadline end
from ops.work_task as task
where task.task_id = attempt.task_id and attempt.task_id = %(task_id)s and attempt.attempt = %(attempt)s
  and attempt.epoch = %(epoch)s and attempt.worker = %(worker)s and attempt.state = 'running' and task.state = 'open'"""
_MINE = """
select attempt.task_id, attempt.attempt, attempt.epoch
from unnest(%s::text[], %s::int[], %s::bigint[]) as held(task_id, attempt, epoch)
join ops.work_attempt as attempt using (task_id, attempt, epoch)
where attempt.state = 'running' and attempt.worker = %s order by task_id, attempt for update of attempt"""
_WAKE = """
update ops.work_attempt set not_before = now() where task_id = %s and attempt = %s and state = 'queued' returning agent"""
_PURGE = """
with gone as (
  select task_id, attempt from ops.team_plan as plan
  where ended_at < now() - make_interval(days => %s)
    and not exists (select from ops.work_task as task where task.task_id = plan.task_id)
  order by ended_at limit %s for update skip locked
), parts as (
  delete from ops.team_part as part using gone where part.task_id = gone.task_id and part.attempt = gone.attempt
)
delete from ops.team_plan as plan using gone where plan.task_id = gone.task_id and plan.attempt = gone.attempt"""


class Seat(Struct, frozen=True):
    """Where a task stands in a team: the task that was split first, supervisors above, and what is left of the limits."""

    root_id: str
    depth: int
    parts: int
    most_parts: int
    most_depth: int


class NewPlan(Struct, frozen=True):
    """A plan to enter; `promised` is how many parts it may ask for."""

    task_id: str
    attempt: int
    root_id: str
    depth: int
    promised: int
    most_parts: int
    most_depth: int
    standing: bytes
    cause: bytes


class Stored(Struct, frozen=True):
    """A plan as the table has it, locked."""

    task_id: str
    attempt: int
    state: str
    standing: bytes
    cause: bytes


async def seat(connection: Connection, task_id: str) -> Seat | None:
    """Return where a task stands in a team; None: it is nobody's part."""
    row = await (await connection.execute(_SEAT, (task_id,))).fetchone()
    return Seat(*row) if row else None


async def standing(connection: Connection, task_id: str, attempt: int) -> bytes | None:
    """Return how an attempt's plan stands, if it has one."""
    row = await (await connection.execute(_READ, (task_id, attempt))).fetchone()
    return bytes(row[0]) if row else None


async def mine(connection: Connection, worker: str, holds: Sequence[Hold]) -> set[Hold]:
    """Lock the attempts that this worker still holds, and return them; their tasks are locked before."""
    columns = ([hold.task_id for hold in holds], [hold.attempt for hold in holds], [hold.epoch for hold in holds])
    cursor = await connection.execute(_MINE, (*columns, worker))
    return {Hold(*row) for row in await cursor.fetchall()}


async def promise(connection: Connection, root_id: str, parts: int) -> bool:
    """Count parts against the limit of the task that was split first; false: they are too many, and none is counted."""
    return (await connection.execute(_PROMISE, (parts, root_id, root_id, parts))).rowcount == 1


async def add(connection: Connection, plan: NewPlan) -> bool:
    """Enter a plan; false: the attempt has one."""
    columns = (plan.task_id, plan.attempt, plan.root_id, plan.depth, plan.promised, plan.most_parts, plan.most_depth)
    return (await connection.execute(_ADD, (*columns, plan.standing, plan.cause))).rowcount == 1


async def add_parts(connection: Connection, task_id: str, attempt: int, parts: Sequence[str]) -> None:
    """Enter tasks as parts of a plan, before they are asked for."""
    if parts:
        await connection.execute(_ADD_PARTS, (list(parts), task_id, attempt))


async def plans_of(connection: Connection, task_ids: Sequence[str]) -> dict[str, list[tuple[str, int]]]:
    """Return by task the plans that it is part of, and under `OWN` the open plans of these tasks themselves."""
    cursor = await connection.execute(_PLANS_OF, (list(task_ids), list(task_ids)))
    found: dict[str, list[tuple[str, int]]] = {}
    for part, task_id, attempt in await cursor.fetchall():
        found.setdefault(part, []).append((task_id, attempt))
    return found


async def lock(connection: Connection, plans: Sequence[tuple[str, int]]) -> list[Stored]:
    """Lock plans, and return how they stand; their tasks are locked before."""
    cursor = await connection.execute(_LOCK, ([one for one, _ in plans], [attempt for _, attempt in plans]))
    return [Stored(row[0], row[1], row[2], bytes(row[3]), bytes(row[4])) for row in await cursor.fetchall()]


async def state(connection: Connection, task_id: str, attempt: int) -> str | None:
    """Lock a plan, and return its state."""
    row = await (await connection.execute(_STATE, (task_id, attempt))).fetchone()
    return str(row[0]) if row else None


async def save(connection: Connection, task_id: str, attempt: int, standing: bytes, state: str) -> None:
    """Write down how a locked plan stands."""
    await connection.execute(_SAVE, (standing, state, state, task_id, attempt))


async def rest(connection: Connection, worker: str, hold: Hold, over: bool) -> bool:
    """Lay an attempt aside until its plan is over; false: it is no longer ours."""
    told = {"over": over, "worker": worker, "task_id": hold.task_id, "attempt": hold.attempt, "epoch": hold.epoch}
    return (await connection.execute(_REST, told)).rowcount == 1


async def wake(connection: Connection, task_id: str, attempt: int) -> list[str]:
    """Let a resting attempt be claimed; return its agent, for which somebody has to ring after the commit."""
    return [row[0] for row in await (await connection.execute(_WAKE, (task_id, attempt))).fetchall()]


async def purge(connection: Connection, keep_days: int, limit: int) -> int:
    """Delete plans that ended longer ago and whose tasks are gone; return how many."""
    return (await connection.execute(_PURGE, (keep_days, limit))).rowcount
