"""A calibration from the command line: planned, written down, run and ended, over connections that somebody else opened."""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from events.calibration import Judge, Limits
from events.request import StartCalibration
from smolit.calibration.course import Course, Told
from smolit.calibration.past import Past, past_tasks, references
from smolit.calibration.plan import planned
from smolit.calibration.presence import Presence
from smolit.calibration.rule import Calibration
from smolit.client import Ask, Client
from smolit.errors import NothingFound, UsageInvalid
from store.postgres import Connection


class Wanted(Struct, frozen=True):
    """What was asked for of a new calibration; `agents` None: everybody who is live."""

    calibration_id: str
    scope: str
    tasks: int
    agents: frozenset[str] | None
    limits: Limits
    judged_by: Judge


class Open(NamedTuple):
    """What a calibration needs, opened."""

    tenant: str
    client: Client
    connection: Connection
    presence: Presence


async def plan(there: Open, wanted: Wanted) -> Calibration:
    """Return what would be done again, and by whom.

    Raises:
        NothingFound: there is no past task that an agent asked for could do and has not done, or nobody is live.
        UsageInvalid: an agent is named that is not there.
    """
    _check(there.presence, wanted)
    past = await past_tasks(there.connection, there.tenant, wanted.scope)
    known = await references(there.connection, there.tenant, [one.task_id for one in past])
    right = known if wanted.judged_by == "reference" else None
    tasks = planned(past, lambda one: there.presence.fitting(one.context), wanted.agents, right, wanted.tasks)
    if not tasks:
        raise NothingFound(_nothing(wanted, past, len(known)))
    return Calibration(wanted.calibration_id, wanted.scope, tasks, wanted.limits, wanted.judged_by)


async def start(there: Open, plan: Calibration) -> None:
    """Write the plan down; raises RequestRefused."""
    request = StartCalibration(
        calibration_id=plan.calibration_id, scope=plan.scope, tasks=plan.tasks, limits=plan.limits, judged_by=plan.judged_by
    )
    await there.client.effect(Ask(request))


def unfinished(there: Open, calibration_id: str) -> Calibration:
    """Return a calibration that runs; raises NothingFound where nobody started it, or it is over."""
    one = there.presence.calibration(calibration_id)
    if one is None:
        raise NothingFound(f"no calibration {calibration_id!r} is known; `smolit policy calibrations` lists them")
    if not one.running:
        raise NothingFound(f"calibration {calibration_id!r} is over; `smolit policy calibrations` says why")
    fact = one.started
    return Calibration(fact.calibration_id, fact.scope, fact.tasks, fact.limits, fact.judged_by)


async def course(there: Open, plan: Calibration, told: Told) -> Course:
    """Return the course of a plan, with what its tasks were and what is right."""
    ids = [task.task_id for task in plan.tasks]
    past = {one.task_id: one for one in await past_tasks(there.connection, there.tenant, plan.scope, ids)}
    return Course(
        plan,
        there.tenant,
        client=there.client,
        connection=there.connection,
        past=past,
        references=await references(there.connection, there.tenant, ids),
        active=there.presence.active,
        told=told,
    )


def _check(presence: Presence, wanted: Wanted) -> None:
    """Refuse where nobody could do anything."""
    live = presence.live()
    if not live:
        raise NothingFound("no agent is live; `smolit status` shows whether workers run")
    if wanted.agents is not None and (strange := sorted(wanted.agents - set(live))):
        raise UsageInvalid(f"agent {strange[0]!r} is not active, or no worker serves it; `smolit agent list` shows them")


def _nothing(wanted: Wanted, past: Sequence[Past], right: int) -> str:
    """Say why there is nothing to do."""
    who = "every live agent" if wanted.agents is None else ", ".join(sorted(wanted.agents))
    if not past:
        return f"no past task of scope {wanted.scope!r} can be given again: none is over, with its text, that nobody forgot"
    if wanted.judged_by == "reference" and not right:
        return f"of {len(past)} past tasks none has a correction, or an answer that was rated 1, to judge by"
    return f"{who} has done all of the {len(past)} past tasks of scope {wanted.scope!r} that it could do"
