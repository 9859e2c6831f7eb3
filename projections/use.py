"""Read model `model_use`: which models each agent used, with tokens and cost, by day; sums of what the steps of attempts say."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import BigInteger, Table, Text

from events.task import AttemptEnded, Step
from projections.column import TIME, key, metadata, summed
from projections.merge import Merge, Row, hour_of
from projections.projection import Logged, Projection, compared, fetch
from projections.statement import Statement
from projections.view import view_of
from store.postgres import Connection

_USE = Table(
    "model_use_v1",
    metadata,
    key("tenant", Text, "whose tasks"),
    key("agent", Text, "the agent"),
    key("model", Text, "the model that answered; the local one with the beginning of its weights' hash"),
    key("day", TIME, "day in UTC on which the attempt ended"),
    summed("calls", BigInteger, "steps that asked it"),
    summed("tokens_in", BigInteger, "tokens read"),
    summed("tokens_out", BigInteger, "tokens written"),
    summed("cost_microusd", BigInteger, "known cost in millionths of a dollar"),
    summed("costed", BigInteger, "steps whose cost is known"),
    summed("duration_us", BigInteger, "duration of the steps in microseconds"),
    comment="What language models were used for agents, per day: calls, tokens, cost, time. Failed attempts count, too.",
)
_VIEW = view_of("model_use", _USE)
_MERGE = Merge(_USE)
_READ = """
select agent, model, sum(calls)::bigint as calls, sum(tokens_in)::bigint as tokens_in, sum(tokens_out)::bigint as tokens_out,
  case when sum(costed) > 0 then sum(cost_microusd)::bigint end as cost_microusd, sum(costed)::bigint as costed,
  sum(duration_us)::bigint as duration_us
from public.model_use where tenant = %(tenant)s and (%(agent)s::text is null or agent = %(agent)s)
group by agent, model order by agent, model"""


class Use(Struct, frozen=True):
    """What one agent used of one model; the cost of the `costed` calls in millionths of a dollar, None: of none it is known."""

    agent: str
    model: str
    calls: int
    tokens_in: int
    tokens_out: int
    cost_microusd: int | None
    costed: int
    duration_us: int


async def use(connection: Connection, tenant: str, agent: str | None = None) -> list[Use]:
    """Return what each agent of a tenant used of each model, or one agent."""
    return await fetch(connection, Use, _READ, {"tenant": tenant, "agent": agent})


def write(facts: Sequence[Logged]) -> list[Statement]:
    """Return what adds a batch to the sums."""
    return _MERGE.plan(row for logged in facts for row in rows(logged))


def rows(logged: Logged) -> Iterator[Row]:
    """Yield what one fact adds."""
    fact = logged.event.fact
    if isinstance(fact, AttemptEnded):
        day = _day(logged.event.envelope.time)
        for step in fact.steps:
            if step.model is not None and step.tokens_in is not None:
                yield {"tenant": fact.tenant, "agent": fact.agent, "model": step.model, "day": day, **_sums(step)}


def _sums(step: Step) -> Row:
    """Return what a step adds."""
    cost = {} if step.cost_microusd is None else {"cost_microusd": step.cost_microusd, "costed": 1}
    tokens = {"tokens_in": step.tokens_in or 0, "tokens_out": step.tokens_out or 0}
    return {"calls": 1, "duration_us": step.duration_us, **tokens, **cost}


def _day(moment: datetime) -> datetime:
    """Return the day in UTC that a moment lies in, as its beginning."""
    return hour_of(moment).replace(hour=0)


MODEL_USE = Projection(
    name="model_use",
    version=1,
    tables=(_USE,),
    views=(_VIEW,),
    reads=(AttemptEnded,),
    compared=(compared(_VIEW, _USE),),
    write=write,
)
