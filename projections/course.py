"""Reads across read models: how a stream of tasks went, who earned what share of it, and what it cost.

The baseline of the learning curve is what a uniform choice among the same candidates would have earned, estimated from
the propensities (self-normalised inverse propensity weighting; Swaminathan & Joachims 2015). A choice whose policy gave
some candidate no chance says nothing of that one, so such choices are left out of the estimate.
"""

from datetime import datetime

from msgspec import Struct

from projections.interval import Z
from projections.projection import fetch
from store.postgres import Connection


class Stretch(Struct, frozen=True, kw_only=True):
    """One part of the stream of first choices (part None: all of it); rewards in [0, 1], intervals at 95 %.

    `supported` counts the choices that say something of every candidate: what the uniform estimate rests on.
    """

    part: int | None
    since: datetime
    until: datetime
    tasks: int
    mean_reward: float
    reward_low: float | None
    reward_high: float | None
    supported: int
    uniform: float | None
    uniform_low: float | None
    uniform_high: float | None


class Share(Struct, frozen=True, kw_only=True):
    """One agent's share of the choices, and what it earned on them; the interval is the 95 % one."""

    agent: str
    chosen: int
    share: float
    rewarded: int
    mean_reward: float | None
    reward_low: float | None
    reward_high: float | None


class Cost(Struct, frozen=True, kw_only=True):
    """What the attempts of one kind of task cost, in millionths of a dollar; `costed` counts those whose cost is known."""

    scope: str
    kind: str | None
    attempts: int
    costed: int
    cost_microusd: int | None
    mean_microusd: float | None
    low_microusd: float | None
    high_microusd: float | None


_OURS = "tenant = %(tenant)s and (%(scope)s::text is null or scope = %(scope)s)"
# Copies for a calibration are no choices of a policy, and are picked and judged otherwise than what came by itself.
_CHOSEN = """not exists (select from public.calibration_copies as copied
    where copied.task_id = {choice}.task_id and copied.tenant = {choice}.tenant)"""
_CURVE = f"""
with stream as (
  select choice.chosen_at, learned.reward_micro / 1e6::float8 as reward,
    case when not choice.candidates @? '$[*] ? (@.probability <= 0)'
      then 1 / (choice.propensity * jsonb_array_length(choice.candidates)) end as weight,
    ntile(%(parts)s) over (order by choice.chosen_at, choice.task_id, scope) as part
  from public.decisions as choice join public.examples as learned using (tenant, scope, task_id, attempt)
  where attempt = 1 and {_OURS} and {_CHOSEN.format(choice="choice")}
), summed as (
  select part, min(chosen_at) as since, max(chosen_at) as until, count(*) as tasks, avg(reward) as mean_reward,
    {Z} * stddev_samp(reward) / sqrt(count(*)) as half, count(weight) as supported,
    sum(weight * reward) / sum(weight) as uniform, sum(weight) as total, sum(weight ^ 2) as squares,
    sum(weight ^ 2 * reward) as once, sum(weight ^ 2 * reward ^ 2) as twice
  from stream group by grouping sets ((part), ()) having count(*) > 0
), spread as (
  select *, case when supported > 1
    then {Z} * sqrt(greatest(twice - 2 * uniform * once + uniform ^ 2 * squares, 0)) / total end as uniform_half
  from summed
)
select part, since, until, tasks, mean_reward, mean_reward - half as reward_low, mean_reward + half as reward_high,
  supported, uniform, uniform - uniform_half as uniform_low, uniform + uniform_half as uniform_high
from spread order by part nulls last"""  # noqa: S608 the names are ours
_SHARES = f"""
with picked as (select agent, count(*) as chosen from public.decisions as choice
  where {_OURS} and {_CHOSEN.format(choice="choice")} group by agent),
earned as (
  select agent, count(*) as rewarded, avg(reward_micro) / 1e6 as mean, stddev_samp(reward_micro) / 1e6 as deviation
  from public.examples as learned where {_OURS} and {_CHOSEN.format(choice="learned")} group by agent
), both_sides as (
  select agent, coalesce(chosen, 0) as chosen, coalesce(rewarded, 0) as rewarded, mean,
    {Z} * deviation / sqrt(rewarded) as half
  from picked full join earned using (agent)
)
select agent, chosen, coalesce(chosen / nullif(sum(chosen) over (), 0), 0)::float8 as share, rewarded,
  mean::float8 as mean_reward, (mean - half)::float8 as reward_low, (mean + half)::float8 as reward_high
from both_sides order by mean desc nulls last, agent"""  # noqa: S608 the names are ours
_COSTS = f"""
select scope, kind, attempts, costed, total as cost_microusd, mean as mean_microusd,
  mean - half as low_microusd, mean + half as high_microusd
from (
  select scope, kind, count(*) as attempts, count(tried.cost_microusd) as costed, sum(tried.cost_microusd)::bigint as total,
    avg(tried.cost_microusd)::float8 as mean,
    ({Z} * stddev_samp(tried.cost_microusd) / nullif(sqrt(count(tried.cost_microusd)), 0))::float8 as half
  from public.decisions as choice join public.attempts as tried using (tenant, scope, task_id, attempt)
  where tried.outcome is not null and {_OURS}
  group by scope, kind
) as sums order by mean desc nulls last, scope, kind"""  # noqa: S608 the names are ours


async def learning_curve(connection: Connection, tenant: str, scope: str | None, parts: int) -> list[Stretch]:
    """Return the stream of rewarded first choices in equal parts, oldest first, then the whole of it; empty if there is none."""
    return await fetch(connection, Stretch, _CURVE, {"tenant": tenant, "scope": scope, "parts": parts})


async def shares(connection: Connection, tenant: str, scope: str | None) -> list[Share]:
    """Return each agent's share of the choices and its mean reward, best first."""
    return await fetch(connection, Share, _SHARES, {"tenant": tenant, "scope": scope})


async def costs(connection: Connection, tenant: str, scope: str | None) -> list[Cost]:
    """Return what attempts cost by scope and kind of task, dearest first."""
    return await fetch(connection, Cost, _COSTS, {"tenant": tenant, "scope": scope})
