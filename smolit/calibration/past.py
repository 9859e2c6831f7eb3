"""What calibration looks at: past real tasks of a scope, who has done them, what is right, what agents earn and cost."""

from typing import Any

import msgspec
from msgspec import Struct

from events.task import ChoiceContext
from learning.information import Standing
from projections.projection import fetch
from store.postgres import Connection

POOL = 2_000  # past tasks that are looked at, newest first


class Past(Struct, frozen=True):
    """A past task that can be done again: what was asked, how it was admitted, and who has a reward for this very text."""

    task_id: str
    text: str
    kind: str | None
    input: dict[str, Any]
    context: ChoiceContext
    done_by: frozenset[str]


class Spending(Struct, frozen=True):
    """What an agent's attempts in a scope cost in the mean, in millionths of a dollar; None: nobody said."""

    agent: str
    mean_microusd: float | None


class Reference(Struct, frozen=True):
    """What the answer to a past task should be: an output that was rated 1, or else a correction."""

    task_id: str
    output: Any
    correction: str | None


class _Told(Struct, frozen=True):
    """One row of the query for past tasks."""

    task_id: str
    text: str
    kind: str | None
    input: dict[str, Any] | None
    context: dict[str, Any]
    done_by: list[str] | None


# A text that was asked for more than once is one task: the newest counts. Copies are no real tasks, and what somebody wants
# forgotten is not brought up again.
_PAST = """
with asked as (
  select distinct on (task.text_sha256, task.kind) task.task_id, task.text, task.kind, task.text_sha256, task.submitted_at
  from public.tasks as task
  where task.tenant = %(tenant)s and task.scope = %(scope)s and task.text is not null
    and task.outcome in ('completed', 'failed') and (%(only)s::text[] is null or task.task_id = any(%(only)s))
    and not exists (select from public.calibration_copies as made
                    where made.task_id = task.task_id and made.tenant = task.tenant)
    and not exists (select from public.events as forgotten
                    where forgotten.correlation_id = task.task_id and forgotten.type = 'task.forgotten')
    and not exists (select from public.events as filed
                    where filed.correlation_id = task.task_id and filed.type = 'task.submitted'
                      and jsonb_array_length(coalesce(filed.payload -> 'files', '[]')) > 0)
  order by task.text_sha256, task.kind, task.submitted_at desc, task.task_id
), newest as (select * from asked order by submitted_at desc, task_id limit %(pool)s),
done as (
  select alike.text_sha256, alike.kind, array_agg(distinct learned.agent) as agents
  from public.tasks as alike
  join public.examples as learned
    on learned.task_id = alike.task_id and learned.tenant = alike.tenant and learned.scope = alike.scope
  where alike.tenant = %(tenant)s and alike.scope = %(scope)s
  group by alike.text_sha256, alike.kind
)
select newest.task_id, newest.text, newest.kind, submitted.payload -> 'input' as input, admitted.payload -> 'context' as context,
  done.agents as done_by
from newest
join public.events as submitted
  on submitted.correlation_id = newest.task_id and submitted.type = 'task.submitted' and submitted.tenant = %(tenant)s
join public.events as admitted
  on admitted.correlation_id = newest.task_id and admitted.type = 'task.admitted' and admitted.tenant = %(tenant)s
left join done on done.text_sha256 = newest.text_sha256 and done.kind is not distinct from newest.kind
order by newest.submitted_at desc, newest.task_id"""
_STANDINGS = """select agent, sum(examples)::bigint as examples, sum(reward_micro)::float8 / 1e6 as earned
  from public.agent_reward where tenant = %s and scope = %s group by agent order by agent"""
_SPENDING = """select agent, avg(cost_microusd)::float8 as mean_microusd
  from public.attempts where tenant = %s and scope = %s group by agent order by agent"""
_REFERENCES = """
select distinct on (said.task_id) said.task_id, case when said.value = 1 then tried.output end as output,
  case when said.value is distinct from 1 then said.correction end as correction
from public.feedback_effective as said
join public.attempts as tried
  on tried.task_id = said.task_id and tried.tenant = said.tenant and tried.attempt = said.attempt
where said.tenant = %(tenant)s and said.task_id = any(%(tasks)s)
  and ((said.value = 1 and said.kind in ('boolean', 'score') and tried.output is not null)
       or (said.value is distinct from 1 and said.correction <> ''))
order by said.task_id, said.value desc nulls last, said.given_at desc, said.rater"""


async def past_tasks(connection: Connection, tenant: str, scope: str, only: list[str] | None = None) -> list[Past]:
    """Return the newest past tasks of a scope with different texts, or those that are named, as far as they can be done again.

    A text that lies in the blob store is left out, and so is a task with files: its text does not say what was asked.
    """
    found = await fetch(connection, _Told, _PAST, {"tenant": tenant, "scope": scope, "pool": POOL, "only": only})
    return [_past(one) for one in found]


async def standings(connection: Connection, tenant: str, scope: str) -> list[Standing]:
    """Return what each agent has earned in a scope."""
    return await fetch(connection, Standing, _STANDINGS, (tenant, scope))


async def spending(connection: Connection, tenant: str, scope: str) -> dict[str, float]:
    """Return what an attempt of each agent costs in the mean, where any of them said so."""
    found = await fetch(connection, Spending, _SPENDING, (tenant, scope))
    return {one.agent: one.mean_microusd for one in found if one.mean_microusd is not None}


async def references(connection: Connection, tenant: str, tasks: list[str]) -> dict[str, Reference]:
    """Return what the answers to past tasks should be, where people said so: an answer rated 1 goes before a correction."""
    found = await fetch(connection, Reference, _REFERENCES, {"tenant": tenant, "tasks": tasks})
    return {one.task_id: one for one in found}


def _past(told: _Told) -> Past:
    context = msgspec.convert(told.context, ChoiceContext)
    return Past(told.task_id, told.text, told.kind, told.input or {}, context, frozenset(told.done_by or ()))
