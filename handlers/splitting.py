"""Splitting at the desk: a plan, its first requests and the rest of its attempt come in one transaction, or not at all."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from agents.errors import AgentFailed
from agents.team.advance import advance
from agents.team.splitting import Splitting
from agents.team.standing import Standing, brief_of
from events.agent import AgentSpec
from events.plan import PlanMade
from events.stamp import stamp
from events.topics import TASKS
from events.wire import Outgoing, encode
from handlers.attempt import Tried
from handlers.ending import Roads
from handlers.team_facts import SOURCE, records
from store import team, work
from store.claim import Claimed
from store.postgres import Connection


class StoredTeam:
    """What supervisors ask of the house, in Postgres."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def standing(self, task_id: str, attempt: int) -> Standing | None:
        """Return how the plan of an attempt stands; None: it has none."""
        found = await team.standing(self._connection, task_id, attempt)
        return msgspec.json.decode(found, type=Standing) if found else None

    async def specs(self, tenant: str) -> tuple[AgentSpec, ...]:
        """Return the tenant's agents that have not left."""
        return tuple(msgspec.json.decode(spec, type=AgentSpec) for spec in await work.specs(self._connection, tenant))


async def rest(
    connection: Connection, worker: str, tried: Sequence[Tried], roads: Roads, now: datetime
) -> tuple[list[Tried], list[Outgoing]]:
    """Lay attempts aside whose parts others do; return those that failed, for their plan breaks a limit, and the records.

    Their tasks are locked before; what is no longer this worker's is passed over.
    """
    held = await team.mine(connection, worker, [one.finish.claimed.hold for one in tried])
    failed: list[Tried] = []
    put: list[Outgoing] = []
    for one in sorted(tried, key=lambda one: one.finish.claimed.hold.task_id):
        claimed = one.finish.claimed
        if claimed.hold not in held or one.rests is None:
            continue
        try:
            put += await _rest(connection, worker, claimed, one.rests.splitting, roads, now)
        except AgentFailed as error:
            failed.append(_failed(one, error))
    return failed, put


async def _rest(
    connection: Connection, worker: str, claimed: Claimed, splitting: Splitting | None, roads: Roads, now: datetime
) -> list[Outgoing]:
    """Lay one attempt aside, with its plan if that is new; raises AgentFailed where a limit does not allow it."""
    hold = claimed.hold
    state = await team.state(connection, hold.task_id, hold.attempt)
    put: list[Outgoing] = []
    if state is None and splitting is not None:
        put, state = await _begin(connection, claimed, splitting, roads, now)
    await team.rest(connection, worker, hold, state != "open")
    return put


async def _begin(
    connection: Connection, claimed: Claimed, splitting: Splitting, roads: Roads, now: datetime
) -> tuple[list[Outgoing], str]:
    """Enter a plan and ask for all that can begin; return the records and how the plan stands."""
    standing = await _seated(connection, claimed, splitting, now)
    moved = advance(standing, {})
    fact = _made(moved.standing)
    made = stamp(
        fact,
        source=SOURCE,
        now=now,
        correlation=fact.task_id,
        cause=claimed.cause.id,
        traceparent=claimed.cause.traceparent,
    )
    await team.add(connection, _row(moved.standing, msgspec.json.encode(made.envelope)))
    state = moved.standing.outcome or "open"
    await team.save(connection, fact.task_id, fact.attempt, msgspec.json.encode(moved.standing), state)
    parts = [part.task_id for some in moved.standing.parts.values() for part in some]
    await team.add_parts(connection, fact.task_id, fact.attempt, parts)
    return [encode(roads.names.of(TASKS), made), *records(moved, {}, made.envelope, roads.names, now)], state


async def _seated(connection: Connection, claimed: Claimed, splitting: Splitting, now: datetime) -> Standing:
    """Return a new plan as it stands, within the limits of the task that was split first."""
    seat, parts = await team.seat(connection, claimed.hold.task_id), sum(step.ask for step in splitting.plan.steps)
    if seat is not None and seat.depth > seat.most_depth:
        raise AgentFailed("too_deep", f"{seat.depth - 1} supervisors stand above it, and {seat.most_depth} may")
    if seat is not None and not await team.promise(connection, seat.root_id, parts):
        raise AgentFailed("too_many_parts", f"{parts} more parts are over the limit of {seat.most_parts} for the whole")
    return Standing(
        brief=brief_of(claimed.task, claimed.hold.attempt, claimed.spec.id, splitting.text, now),
        plan=splitting.plan,
        made_by=splitting.made_by,
        why=splitting.why,
        depth=seat.depth if seat else 1,
        root_id=seat.root_id if seat else claimed.hold.task_id,
        made_at=now,
    )


def _made(standing: Standing) -> PlanMade:
    brief = standing.brief
    return PlanMade(
        tenant=brief.tenant,
        task_id=brief.task_id,
        attempt=brief.attempt,
        agent=brief.agent,
        plan=standing.plan,
        made_by=standing.made_by,
        why=standing.why,
        depth=standing.depth,
        root_id=standing.root_id,
    )


def _row(standing: Standing, cause: bytes) -> team.NewPlan:
    limits, brief = standing.plan.limits, standing.brief
    return team.NewPlan(
        task_id=brief.task_id,
        attempt=brief.attempt,
        root_id=standing.root_id,
        depth=standing.depth,
        promised=sum(step.ask for step in standing.plan.steps),
        most_parts=limits.parts,
        most_depth=limits.depth,
        standing=msgspec.json.encode(standing),
        cause=cause,
    )


def _failed(one: Tried, error: AgentFailed) -> Tried:
    """Return an attempt that failed after all."""
    return Tried(msgspec.structs.replace(one.finish, outcome="failed", reason=error.reason, detail=error.detail))
