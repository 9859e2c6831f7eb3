"""Read models `calibrations` and `calibration_copies`: what is done again, by whom, for how much, and what came of it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import BigInteger, Index, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from events.calibration import CalibrationEnded, CalibrationStarted
from events.task import TaskSubmitted
from projections.column import TIME, key, metadata, once
from projections.interval import INTERVAL_COLUMNS, interval
from projections.merge import Row, told
from projections.projection import Logged, Projection, compared, fetch, merging
from projections.view import View, view_of
from store.postgres import Connection

_TABLE = Table(
    "calibrations_v1",
    metadata,
    key("tenant", Text, "whose calibration it is"),
    key("calibration_id", Text, "id of the calibration"),
    once("scope", Text, "tasks that it is about"),
    once("tasks", JSONB, "past tasks that are done again, in this order: id, agents, and why it was picked"),
    once("budget_microusd", BigInteger, "what all copies may cost, in millionths of a dollar; null: no limit"),
    once("horizon", BigInteger, "tasks to come that are reckoned with"),
    once("worth_microusd", BigInteger, "what a reward of 1 rather than 0 is worth, in millionths of a dollar; null: not said"),
    once("judged_by", Text, "feedback (whoever gives it) or reference"),
    once("started_at", TIME, "when it began"),
    once("ended_at", TIME, "when it was over; null: it runs"),
    once("why", Text, "tasks_done, budget_spent, not_worth_it or stopped"),
    once("reason", Text, "why it ended, as a sentence"),
    comment="Calibrations: which past tasks are done again by which agents, within which limits, and why it ended.",
)
_COPIES = Table(
    "calibration_copies_v1",
    metadata,
    key("task_id", Text, "id of the copy, a task like any other"),
    key("tenant", Text, "whose task it is"),
    once("calibration_id", Text, "calibration that it belongs to"),
    once("copy_of", Text, "the past task that it does again"),
    once("agent", Text, "the agent that does it"),
    once("submitted_at", TIME, "when it was accepted"),
    Index("calibration_copies_v1_calibration", "tenant", "calibration_id"),
    comment="Copies of past tasks, each for one agent; what came of them stands where every task's outcome stands.",
)
_STATE = "case when known.ended_at is not null then 'ended' else 'running' end"
_RESULTS_SQL = f"""
select tenant, calibration_id, agent, copies, over, failed, costed, cost_microusd, {interval("rewarded", "total", "squares")}
from (
  select made.tenant, made.calibration_id, made.agent,
    count(*) as copies,
    count(task.outcome) as over,
    count(*) filter (where task.outcome <> 'completed') as failed,
    count(tried.cost_microusd) as costed,
    sum(tried.cost_microusd)::bigint as cost_microusd,
    count(example.reward_micro) as rewarded,
    sum(example.reward_micro) as total,
    sum(example.reward_micro::numeric ^ 2) as squares
  from calibration_copies_v1 as made
  left join tasks_v1 as task on task.task_id = made.task_id and task.tenant = made.tenant
  left join attempts_v1 as tried on tried.task_id = made.task_id and tried.tenant = made.tenant and tried.attempt = 1
  left join examples_v1 as example
    on example.task_id = made.task_id and example.tenant = made.tenant and example.attempt = 1 and example.scope = task.scope
  group by made.tenant, made.calibration_id, made.agent
) as sums"""  # noqa: S608 the names are ours
_RESULTS = View(
    "calibration_results",
    _RESULTS_SQL,
    "What each agent did, cost and earned in each calibration. A copy has one attempt.",
    {
        "tenant": "whose calibration it is",
        "calibration_id": "id of the calibration",
        "agent": "the agent",
        "copies": "past tasks that it was given again",
        "over": "how many of them are over",
        "failed": "how many of them ended without an answer",
        "costed": "how many of them said what they cost",
        "cost_microusd": "what these cost together, in millionths of a dollar; null: nobody said",
        **INTERVAL_COLUMNS,
    },
)


class CalibrationRow(Struct, frozen=True, kw_only=True):
    """One row of `calibrations`; `tasks` are objects as in the fact."""

    tenant: str
    calibration_id: str
    state: str
    scope: str | None
    tasks: list[dict[str, Any]] | None
    budget_microusd: int | None
    horizon: int | None
    worth_microusd: int | None
    judged_by: str | None
    started_at: datetime | None
    ended_at: datetime | None
    why: str | None
    reason: str | None


class AgentResult(Struct, frozen=True, kw_only=True):
    """One row of `calibration_results`; rewards are shares in [0, 1], the interval is the 95 % one."""

    calibration_id: str
    agent: str
    copies: int
    over: int
    failed: int
    costed: int
    cost_microusd: int | None
    rewarded: int
    mean_reward: float | None
    reward_low: float | None
    reward_high: float | None


class CopyRow(Struct, frozen=True, kw_only=True):
    """One copy and what came of it so far: outcomes of task and attempt, and the answer where it is stored inline."""

    task_id: str
    copy_of: str
    agent: str
    outcome: str | None
    detail: str | None
    attempt: str | None
    cost_microusd: int | None
    reward_micro: int | None
    output: Any


_COLUMNS = ", ".join(CalibrationRow.__struct_fields__)
_RESULT_COLUMNS = ", ".join(AgentResult.__struct_fields__)
_COPY_SQL = """select made.task_id, made.copy_of, made.agent, task.outcome, task.detail,
    tried.outcome as attempt, tried.cost_microusd,
    learned.reward_micro, tried.output
  from public.calibration_copies as made
  join public.tasks as task using (tenant, task_id)
  left join public.attempts as tried on tried.task_id = made.task_id and tried.tenant = made.tenant and tried.attempt = 1
  left join public.examples as learned
    on learned.task_id = made.task_id and learned.tenant = made.tenant and learned.attempt = 1 and learned.scope = task.scope
  where made.tenant = %s and made.calibration_id = %s order by made.submitted_at, made.task_id"""


async def calibrations(connection: Connection, tenant: str) -> list[CalibrationRow]:
    """Return a tenant's calibrations, newest first."""
    query = f"""select {_COLUMNS} from public.calibrations where tenant = %s
        order by started_at desc nulls last, calibration_id"""  # noqa: S608 columns are ours
    return await fetch(connection, CalibrationRow, query, (tenant,))


async def results(connection: Connection, tenant: str) -> list[AgentResult]:
    """Return what came of all calibrations of a tenant, by agent."""
    query = f"""select {_RESULT_COLUMNS} from public.calibration_results
        where tenant = %s order by calibration_id, agent"""  # noqa: S608 columns are ours
    return await fetch(connection, AgentResult, query, (tenant,))


async def copies(connection: Connection, tenant: str, calibration_id: str) -> list[CopyRow]:
    """Return a calibration's copies, first one first."""
    return await fetch(connection, CopyRow, _COPY_SQL, (tenant, calibration_id))


def calibration_rows(logged: Logged) -> Iterator[Row]:
    """Yield what one fact says of a calibration."""
    fact, at = logged.event.fact, logged.event.envelope.time
    match fact:
        case CalibrationStarted():
            limits = told(fact.limits, "budget_microusd", "horizon", "worth_microusd")
            plan = told(fact, "tenant", "calibration_id", "scope", "tasks", "judged_by")
            yield {**plan, **limits, "started_at": at}
        case CalibrationEnded():
            yield {**told(fact, "tenant", "calibration_id", "why", "reason"), "ended_at": at}


def copy_rows(logged: Logged) -> Iterator[Row]:
    """Yield the row of a copy."""
    fact = logged.event.fact
    if isinstance(fact, TaskSubmitted) and fact.copy_of is not None:
        made = {"calibration_id": fact.copy_of.calibration, "copy_of": fact.copy_of.task_id}
        yield {**told(fact, "task_id", "tenant", "agent"), **made, "submitted_at": logged.event.envelope.time}


_VIEW = view_of("calibrations", _TABLE, {"state": (_STATE, "running (copies may be submitted) or ended")})
_COPIES_VIEW = view_of("calibration_copies", _COPIES)
CALIBRATIONS = Projection(
    name="calibrations",
    version=1,
    tables=(_TABLE,),
    views=(_VIEW, _RESULTS),
    reads=(CalibrationStarted, CalibrationEnded),
    compared=(compared(_VIEW, _TABLE),),
    write=merging(_TABLE, calibration_rows),
)
CALIBRATION_COPIES = Projection(
    name="calibration_copies",
    version=1,
    tables=(_COPIES,),
    views=(_COPIES_VIEW,),
    reads=(TaskSubmitted,),
    compared=(compared(_COPIES_VIEW, _COPIES),),
    write=merging(_COPIES, copy_rows),
)
