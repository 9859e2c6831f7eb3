"""Read model `agent_performance`: what each agent does, how well, how fast and at what cost; per hour and in all.

Sums of integers only, so that any order of facts gives the same bytes; means, intervals and percentiles are views.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import BigInteger, Table, Text

from events.task import AgentChosen, AttemptEnded
from projections.column import TIME, key, metadata, summed
from projections.example import AGENT_REWARD
from projections.interval import INTERVAL_COLUMNS, interval
from projections.merge import Merge, Row, hour_of, micro
from projections.projection import Logged, Projection, compared, fetch
from projections.statement import Statement
from projections.view import View, view_of
from store.postgres import Connection

# Upper bounds in microseconds: twelve a decade (the E12 series), so a percentile is at most 25 % too high.
_E12 = (10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82)
BOUNDS_US = (*(step * 10**decade for decade in range(10) for step in _E12), 10**11)

_WORK = Table(
    "agent_work_v1",
    metadata,
    key("tenant", Text, "whose tasks"),
    key("scope", Text, "what one policy state covers"),
    key("agent", Text, "the agent"),
    key("hour", TIME, "hour of the choice, or of the end of the attempt"),
    summed("chosen", BigInteger, "how often the agent was chosen"),
    summed("explored", BigInteger, "how often although another agent was the more likely one"),
    summed("propensity_micro", BigInteger, "sum of the probabilities that it was chosen with, in millionths"),
    summed("completed", BigInteger, "attempts that completed"),
    summed("failed", BigInteger, "attempts that failed"),
    summed("timed_out", BigInteger, "attempts that ran out of time"),
    summed("abandoned", BigInteger, "attempts given up for reasons that are not the agent's"),
    summed("duration_us", BigInteger, "time spent on all but the abandoned ones, in microseconds"),
    summed("cost_microusd", BigInteger, "known cost in millionths of a dollar"),
    summed("costed", BigInteger, "attempts whose cost is known"),
    comment="Sums of choices and attempts per tenant, scope, agent and hour.",
)
_DURATION = Table(
    "agent_duration_v1",
    metadata,
    key("tenant", Text, "whose tasks"),
    key("scope", Text, "what one policy state covers"),
    key("agent", Text, "the agent"),
    key("hour", TIME, "hour of the end of the attempt"),
    key("upto_us", BigInteger, "upper bound of the bucket in microseconds"),
    summed("attempts", BigInteger, "attempts in the bucket; abandoned ones are left out"),
    comment="Histogram of the duration of attempts per tenant, scope, agent and hour.",
)
_USE = Table(
    "agent_use_v1",
    metadata,
    key("tenant", Text, "whose tasks"),
    key("scope", Text, "what one policy state covers"),
    key("agent", Text, "the agent"),
    key("hour", TIME, "hour of the end of the attempt"),
    summed("model_calls", BigInteger, "steps that asked a language model"),
    summed("tokens_in", BigInteger, "tokens read"),
    summed("tokens_out", BigInteger, "tokens written"),
    summed("model_microusd", BigInteger, "known cost of these steps in millionths of a dollar"),
    summed("model_costed", BigInteger, "steps whose cost is known"),
    summed("model_us", BigInteger, "duration of these steps in microseconds"),
    comment="What agents used of language models per tenant, scope, agent and hour; failed attempts count, too.",
)
_WORK_VIEW = view_of("agent_work", _WORK)
_DURATION_VIEW = view_of("agent_duration", _DURATION)
_USE_VIEW = view_of("agent_use", _USE)
_TABLES = (_WORK.name, AGENT_REWARD.name, _DURATION.name, _USE.name)  # of the generation that the search path names
_SUMS = ("public.agent_work", "public.agent_reward", "public.agent_duration", "public.agent_use")  # of the one that serves
_MERGE_WORK = Merge(_WORK)
_MERGE_DURATION = Merge(_DURATION)
_MERGE_USE = Merge(_USE)


def _performance_sql(keys: str, where: str = "", sums: tuple[str, str, str, str] = _TABLES) -> str:
    """Return the query of performance by some keys, over the rows of work, reward, duration and use that `where` keeps."""
    work, reward, duration, use = sums
    return f"""
with work as (
  select {keys}, sum(chosen) as chosen, sum(explored) as explored, sum(propensity_micro) as propensity_micro,
    sum(completed) as completed, sum(failed) as failed, sum(timed_out) as timed_out, sum(abandoned) as abandoned,
    sum(completed + failed + timed_out) as timed, sum(duration_us) as duration_us,
    sum(cost_microusd) as cost_microusd, sum(costed) as costed
  from {work} {where} group by {keys}
), reward as (
  select {keys}, sum(examples) as rewarded, sum(reward_micro) as total, sum(reward_micro_squared) as squares
  from {reward} {where} group by {keys}
), bucket as (
  select {keys}, upto_us, sum(attempts) as attempts from {duration} {where} group by {keys}, upto_us
), running as (
  select {keys}, upto_us, sum(attempts) over (partition by {keys} order by upto_us) as below,
    sum(attempts) over (partition by {keys}) as total
  from bucket
), latency as (
  select {keys}, min(upto_us) filter (where below * 2 >= total) as p50,
    min(upto_us) filter (where below * 20 >= total * 19) as p95
  from running group by {keys}
), used as (
  select {keys}, sum(model_calls) as model_calls, sum(tokens_in) as tokens_in, sum(tokens_out) as tokens_out,
    sum(model_microusd) as model_microusd, sum(model_costed) as model_costed, sum(model_us) as model_us
  from {use} {where} group by {keys}
)
select {keys}, coalesce(chosen, 0)::bigint, coalesce(explored, 0)::bigint,
  (propensity_micro / nullif(chosen, 0) / 1000000)::float8,
  coalesce(timed + abandoned, 0)::bigint, coalesce(completed, 0)::bigint, coalesce(failed, 0)::bigint,
  coalesce(timed_out, 0)::bigint, coalesce(abandoned, 0)::bigint, (completed / nullif(timed, 0))::float8,
  (duration_us / nullif(timed, 0))::bigint, p50, p95, case when costed > 0 then cost_microusd::bigint end,
  coalesce(costed, 0)::bigint, {interval("coalesce(rewarded, 0)::bigint", "total", "squares")},
  coalesce(model_calls, 0)::bigint, coalesce(tokens_in, 0)::bigint, coalesce(tokens_out, 0)::bigint,
  case when model_costed > 0 then model_microusd::bigint end, coalesce(model_us, 0)::bigint
from work full join reward using ({keys}) left join latency using ({keys}) left join used using ({keys})"""  # noqa: S608 the names are ours


_COMMENTS = {
    "chosen": "how often the agent was chosen",
    "explored": "how often although another agent was the more likely one",
    "mean_propensity": "mean probability that it was chosen with",
    "attempts": "attempts that are over",
    "completed": "attempts that completed",
    "failed": "attempts that failed",
    "timed_out": "attempts that ran out of time",
    "abandoned": "attempts given up for reasons that are not the agent's",
    "success_rate": "share of completed ones among completed, failed and timed out ones",
    "mean_duration_us": "mean duration in microseconds, abandoned ones left out",
    "p50_duration_us": "half of them took at most so long: upper bound of a histogram bucket",
    "p95_duration_us": "19 in 20 took at most so long: upper bound of a histogram bucket",
    "cost_microusd": "known cost in millionths of a dollar; null: none is known",
    "costed": "attempts whose cost is known",
    **INTERVAL_COLUMNS,
    "model_calls": "steps that asked a language model",
    "tokens_in": "tokens that it read",
    "tokens_out": "tokens that it wrote",
    "model_microusd": "known cost of these steps in millionths of a dollar; null: none is known",
    "model_us": "duration of these steps in microseconds",
}
_KEYS = {"tenant": "whose tasks", "scope": "what one policy state covers", "agent": "the agent"}
_HOUR = {"hour": "hour of the choice, of the end of the attempt, or of its first reward"}
_LIFETIME = View(
    "agent_performance",
    _performance_sql("tenant, scope, agent"),
    "What each agent did so far: choices, attempts, success, reward with its interval, latency, cost.",
    {**_KEYS, **_COMMENTS},
)
_HOURLY = View(
    "agent_performance_hourly",
    _performance_sql("tenant, scope, agent, hour"),
    "What each agent did in each hour: choices, attempts, success, reward with its interval, latency, cost.",
    {**_KEYS, **_HOUR, **_COMMENTS},
)
_BY_KIND_SQL = f"""
select tenant, scope, kind, agent, attempts, completed, success_rate, p50, p95, {interval("rewarded", "total", "squares")}
from (
  select choice.tenant, choice.scope, choice.kind, choice.agent,
    count(tried.outcome) as attempts, count(*) filter (where tried.outcome = 'completed') as completed,
    (avg((tried.outcome = 'completed')::int) filter (where tried.outcome <> 'abandoned'))::float8 as success_rate,
    percentile_disc(0.5) within group (order by tried.duration_us)
      filter (where tried.outcome <> 'abandoned') as p50,
    percentile_disc(0.95) within group (order by tried.duration_us)
      filter (where tried.outcome <> 'abandoned') as p95,
    count(example.reward_micro) as rewarded, sum(example.reward_micro) as total,
    sum(example.reward_micro::numeric ^ 2) as squares
  from decisions_v1 as choice
  left join attempts_v1 as tried using (task_id, attempt)
  left join examples_v1 as example
    on example.task_id = choice.task_id and example.attempt = choice.attempt and example.scope = choice.scope
  group by choice.tenant, choice.scope, choice.kind, choice.agent
) as sums"""  # noqa: S608 the names are ours
_BY_KIND = View(
    "agent_performance_by_kind",
    _BY_KIND_SQL,
    "What each agent did for each kind of task, joined afresh from choices, attempts and examples.",
    {
        "tenant": "whose tasks",
        "scope": "what one policy state covers",
        "kind": "what sort of task it is, as its producer said",
        "agent": "the agent",
        "attempts": "attempts that are over",
        "completed": "attempts that completed",
        "success_rate": "share of completed ones, abandoned ones left out",
        "p50_duration_us": "median duration in microseconds",
        "p95_duration_us": "19 in 20 took at most so long",
        **INTERVAL_COLUMNS,
    },
)


class Performance(Struct, frozen=True, kw_only=True):
    """What one agent did: times in microseconds, cost in millionths of a dollar, rewards and shares in [0, 1]."""

    tenant: str
    scope: str
    agent: str
    chosen: int
    explored: int
    mean_propensity: float | None
    attempts: int
    completed: int
    failed: int
    timed_out: int
    abandoned: int
    success_rate: float | None
    mean_duration_us: int | None
    p50_duration_us: int | None
    p95_duration_us: int | None
    cost_microusd: int | None
    costed: int
    rewarded: int
    mean_reward: float | None
    reward_low: float | None
    reward_high: float | None
    model_calls: int
    tokens_in: int
    tokens_out: int
    model_microusd: int | None
    model_us: int


async def performance(
    connection: Connection, tenant: str, *, since: datetime | None = None, until: datetime | None = None
) -> list[Performance]:
    """Return what each agent of a tenant did in the full hours of a window (None: no limit), by scope and agent."""
    names = ", ".join(Performance.__struct_fields__)
    kept = "where tenant = %(tenant)s and hour >= %(since)s and hour < %(until)s"
    inner = _performance_sql("tenant, scope, agent", kept, _SUMS)
    query = f"select * from ({inner}) as found ({names}) order by scope, agent"  # noqa: S608 the names are ours
    window = {"tenant": tenant, "since": since or "-infinity", "until": until or "infinity"}
    return await fetch(connection, Performance, query, window)


def write(facts: Sequence[Logged]) -> list[Statement]:
    """Return what adds a batch to the sums and to the histogram."""
    work = _MERGE_WORK.plan(row for logged in facts for row in work_rows(logged))
    durations = _MERGE_DURATION.plan(row for logged in facts for row in duration_rows(logged))
    return work + durations + _MERGE_USE.plan(row for logged in facts for row in use_rows(logged))


def work_rows(logged: Logged) -> Iterator[Row]:
    """Yield what one fact adds to an agent's sums."""
    fact = logged.event.fact
    match fact:
        case AgentChosen():
            shares = {"explored": int(fact.explored), "propensity_micro": micro(fact.propensity)}
            yield {**_hour_of_agent(logged, fact, fact.context.scope), "chosen": 1, **shares}
        case AttemptEnded():
            yield {**_hour_of_agent(logged, fact, fact.scope), fact.outcome: 1, **_cost(fact), **_spent(fact)}


def duration_rows(logged: Logged) -> Iterator[Row]:
    """Yield the histogram bucket of an attempt that says something about its agent."""
    fact = logged.event.fact
    if isinstance(fact, AttemptEnded) and fact.outcome != "abandoned":
        place = min(bisect_left(BOUNDS_US, fact.duration_us), len(BOUNDS_US) - 1)
        yield {**_hour_of_agent(logged, fact, fact.scope), "upto_us": BOUNDS_US[place], "attempts": 1}


def use_rows(logged: Logged) -> Iterator[Row]:
    """Yield what the steps of an attempt used of language models."""
    fact = logged.event.fact
    if isinstance(fact, AttemptEnded):
        for step in fact.steps:
            if step.model is not None and step.tokens_in is not None:
                cost = {} if step.cost_microusd is None else {"model_microusd": step.cost_microusd, "model_costed": 1}
                tokens = {"tokens_in": step.tokens_in, "tokens_out": step.tokens_out or 0, "model_us": step.duration_us}
                yield {**_hour_of_agent(logged, fact, fact.scope), "model_calls": 1, **tokens, **cost}


def _hour_of_agent(logged: Logged, fact: AgentChosen | AttemptEnded, scope: str) -> Row:
    """Return the key that a fact adds to."""
    hour = hour_of(logged.event.envelope.time)
    return {"tenant": fact.tenant, "scope": scope, "agent": fact.agent, "hour": hour}


def _cost(fact: AttemptEnded) -> Row:
    """Return the cost, if it is known: an unknown one is not zero."""
    return {} if fact.cost_microusd is None else {"cost_microusd": fact.cost_microusd, "costed": 1}


def _spent(fact: AttemptEnded) -> Row:
    """Return the time, if it says something about the agent."""
    return {} if fact.outcome == "abandoned" else {"duration_us": fact.duration_us}


AGENT_PERFORMANCE = Projection(
    name="agent_performance",
    version=1,
    tables=(_WORK, _DURATION, _USE),
    views=(_LIFETIME, _HOURLY, _BY_KIND, _WORK_VIEW, _DURATION_VIEW, _USE_VIEW),
    reads=(AgentChosen, AttemptEnded),
    compared=(
        compared(_WORK_VIEW, _WORK),
        compared(_DURATION_VIEW, _DURATION),
        compared(_USE_VIEW, _USE),
    ),
    write=write,
)
