"""Read models `plans` and `plan_steps`: how tasks were split, who did the parts, and how contradictions were settled."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import BigInteger, Boolean, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from events.plan import PlanEnded, PlanMade, PlanSettled, PlanStepEnded, PlanStepStarted
from projections.column import TIME, earliest, highest, key, metadata, once
from projections.merge import Row, told
from projections.projection import Logged, Projection, compared, fetch, merging
from projections.view import view_of
from store.postgres import Connection

_PLANS = Table(
    "plans_v1",
    metadata,
    key("task_id", Text, "task that was split"),
    key("attempt", Integer, "attempt that split it"),
    once("tenant", Text, "whose task it is"),
    once("agent", Text, "supervisor that split it"),
    once("name", Text, "name of the plan"),
    once("version", Integer, "version of the plan, for people"),
    once("made_by", Text, "what made it: shapes, a model, or whoever asked"),
    once("why", Text, "why this plan, for people"),
    once("depth", Integer, "supervisors above, this one included"),
    once("root_id", Text, "task that was split first"),
    once("plan", JSONB, "the plan: steps, merge rule and limits"),
    once("made_at", TIME, "when it was made"),
    once("outcome", Text, "completed, partial, failed or given_up; null: open"),
    once("completed", Integer, "steps that were completed"),
    once("failed", Integer, "steps that failed"),
    once("skipped", Integer, "steps that could not begin"),
    once("cost_microusd", BigInteger, "what all parts cost, in millionths of a dollar; null: nobody said"),
    once("detail", Text, "what went wrong, for people"),
    once("ended_at", TIME, "when it was over; null: open"),
    comment="Tasks that were split into others: by which plan, why, and how it ended.",
)
_STEPS = Table(
    "plan_steps_v1",
    metadata,
    key("task_id", Text, "task that was split"),
    key("attempt", Integer, "attempt that split it"),
    key("step", Text, "name of the step"),
    once("tenant", Text, "whose task it is"),
    once("kind", Text, "skill that was asked for"),
    highest("asked", Integer, "how many agents were asked"),
    earliest("started_at", TIME, "when the first was asked; null: nobody was"),
    once("outcome", Text, "completed, failed or skipped; null: open"),
    once("parts", JSONB, "tasks that did it"),
    once("agents", JSONB, "who did them"),
    once("output_sha256", Text, "digest of the output as JSON with sorted keys"),
    once("reason", Text, "why there is no output, as a code"),
    once("detail", Text, "why there is no output, for people"),
    once("cost_microusd", BigInteger, "what it cost, in millionths of a dollar; null: nobody said"),
    once("duration_us", BigInteger, "how long the attempts took together, in microseconds"),
    once("ended_at", TIME, "when it was over; null: open"),
    once("rule", Text, "rule that settled several answers; null: one was asked"),
    once("conflicts", JSONB, "what contradicts what"),
    once("settled", Boolean, "whether one answer counts; false: open, all are shown"),
    once("chosen", Integer, "place of the answer that counts, from 0"),
    once("answers", JSONB, "what was answered, by whom, with which confidence and how many citations"),
    comment="Steps of split tasks: who did them, at what cost, and how several answers were settled.",
)


class PlanRow(Struct, frozen=True, kw_only=True):
    """One row of `plans`."""

    task_id: str
    attempt: int
    agent: str | None
    name: str | None
    version: int | None
    made_by: str | None
    why: str | None
    depth: int | None
    root_id: str | None
    plan: dict[str, Any] | None
    made_at: datetime | None
    outcome: str | None
    completed: int | None
    failed: int | None
    skipped: int | None
    cost_microusd: int | None
    detail: str | None
    ended_at: datetime | None


class StepRow(Struct, frozen=True, kw_only=True):
    """One row of `plan_steps`."""

    task_id: str
    attempt: int
    step: str
    kind: str | None
    asked: int | None
    started_at: datetime | None
    outcome: str | None
    parts: list[str] | None
    agents: list[str] | None
    output_sha256: str | None
    reason: str | None
    detail: str | None
    cost_microusd: int | None
    duration_us: int | None
    ended_at: datetime | None
    rule: str | None
    conflicts: list[str] | None
    settled: bool | None
    chosen: int | None
    answers: list[dict[str, Any]] | None


_PLAN_COLUMNS = ", ".join(PlanRow.__struct_fields__)
_STEP_COLUMNS = ", ".join(StepRow.__struct_fields__)


async def plans(connection: Connection, tenant: str, limit: int) -> list[PlanRow]:
    """Return a tenant's plans, newest first."""
    query = f"""select {_PLAN_COLUMNS} from public.plans where tenant = %s
        order by made_at desc nulls last, task_id, attempt limit %s"""  # noqa: S608 columns are ours
    return await fetch(connection, PlanRow, query, (tenant, limit))


async def plans_of(connection: Connection, tenant: str, task_id: str) -> list[PlanRow]:
    """Return the plans of a task, by attempt."""
    query = f"""select {_PLAN_COLUMNS} from public.plans
        where tenant = %s and task_id = %s order by attempt"""  # noqa: S608 columns are ours
    return await fetch(connection, PlanRow, query, (tenant, task_id))


async def steps_of(connection: Connection, tenant: str, task_id: str) -> list[StepRow]:
    """Return the steps of a task's plans that began or ended, in that order."""
    query = f"""select {_STEP_COLUMNS} from public.plan_steps where tenant = %s and task_id = %s
        order by attempt, started_at nulls last, ended_at, step"""  # noqa: S608 columns are ours
    return await fetch(connection, StepRow, query, (tenant, task_id))


async def above(connection: Connection, tenant: str, task_id: str) -> StepRow | None:
    """Return the step that a task is a part of, if it is one."""
    query = f"""select {_STEP_COLUMNS} from public.plan_steps
        where tenant = %s and parts @> jsonb_build_array(%s::text)"""  # noqa: S608 columns are ours
    return next(iter(await fetch(connection, StepRow, query, (tenant, task_id))), None)


def plan_rows(logged: Logged) -> Iterator[Row]:
    """Yield what one fact says of a plan."""
    fact, at = logged.event.fact, logged.event.envelope.time
    match fact:
        case PlanMade():
            named = told(fact, "task_id", "attempt", "tenant", "agent", "made_by", "why", "depth", "root_id")
            yield {**named, **told(fact.plan, "name", "version"), "plan": msgspec.to_builtins(fact.plan), "made_at": at}
        case PlanEnded():
            ended = told(fact, "task_id", "attempt", "tenant", "outcome", "completed", "failed", "skipped")
            yield {**ended, **told(fact, "cost_microusd", "detail"), "ended_at": at}


def step_rows(logged: Logged) -> Iterator[Row]:
    """Yield what one fact says of a step."""
    fact, at = logged.event.fact, logged.event.envelope.time
    match fact:
        case PlanStepStarted():
            yield {**told(fact, "task_id", "attempt", "step", "tenant", "kind"), "asked": fact.ask, "started_at": at}
        case PlanSettled():
            settled = told(fact, "task_id", "attempt", "step", "tenant", "rule", "chosen")
            lists = {"conflicts": list(fact.conflicts), "answers": msgspec.to_builtins(fact.answers)}
            yield {**settled, **lists, "settled": fact.chosen is not None}
        case PlanStepEnded():
            ended = told(fact, "task_id", "attempt", "step", "tenant", "outcome", "output_sha256", "reason", "detail")
            lists = {"parts": list(fact.parts), "agents": list(fact.agents)}
            yield {**ended, **lists, **told(fact, "cost_microusd", "duration_us"), "ended_at": at}


_PLANS_VIEW = view_of("plans", _PLANS)
_STEPS_VIEW = view_of("plan_steps", _STEPS)
PLANS = Projection(
    name="plans",
    version=1,
    tables=(_PLANS,),
    views=(_PLANS_VIEW,),
    reads=(PlanMade, PlanEnded),
    compared=(compared(_PLANS_VIEW, _PLANS),),
    write=merging(_PLANS, plan_rows),
)
PLAN_STEPS = Projection(
    name="plan_steps",
    version=1,
    tables=(_STEPS,),
    views=(_STEPS_VIEW,),
    reads=(PlanStepStarted, PlanSettled, PlanStepEnded),
    compared=(compared(_STEPS_VIEW, _STEPS),),
    write=merging(_STEPS, step_rows),
)
