"""Read model `examples`: the reward that is learned from each attempt, and sums of it per agent and hour.

A corrected reward is taken back from the hour that it was first counted in.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import BigInteger, Double, Index, Numeric, Table, Text

from events.learning import ExampleRecorded, ExampleSuperseded
from projections.column import TIME, highest, key, latest, metadata, once, summed
from projections.merge import Merge, Row, jsonb, micro, told
from projections.projection import Logged, Projection, compared, fetch
from projections.statement import Statement
from projections.view import view_of
from store.postgres import Connection

_TABLE = Table(
    "examples_v1",
    metadata,
    key("task_id", Text, "id of the task"),
    key("attempt", BigInteger, "number of the attempt"),
    key("scope", Text, "what the policy's state covers"),
    once("tenant", Text, "whose task it is"),
    once("agent", Text, "the agent that tried"),
    once("variant", Text, "variant of the experiment that the task was put into"),
    once("propensity", Double, "the probability that the agent was chosen with"),
    highest("sequence", BigInteger, "number of the last fact about it among its scope's examples"),
    highest("revision", BigInteger, "how often the reward was corrected"),
    latest("reward_micro", BigInteger, "the reward that counts, in millionths", by="revision"),
    latest("rule", Text, "version of the rule that made the reward", by="revision"),
    once("recorded_at", TIME, "when there was first something to learn"),
    highest("revised_at", TIME, "when the reward was last corrected; null: never"),
    Index("examples_v1_agent", "tenant", "scope", "agent"),
    comment="What is learned from each attempt: the reward that counts, in the end, and the propensity of the choice.",
)
AGENT_REWARD = Table(
    "agent_reward_v1",
    metadata,
    key("tenant", Text, "whose tasks"),
    key("scope", Text, "what the policy's state covers"),
    key("agent", Text, "the agent"),
    key("hour", TIME, "hour in which the examples were first recorded"),
    summed("examples", BigInteger, "attempts with a reward"),
    summed("reward_micro", BigInteger, "sum of the rewards that count, in millionths"),
    summed("reward_micro_squared", Numeric(38, 0), "sum of the squares of these rewards in millionths"),
    comment="Sums of rewards per tenant, scope, agent and hour; a corrected reward counts as corrected.",
)
_MERGE = Merge(_TABLE)
# After the examples themselves: a sum is in the hour in which its example was first recorded, which Postgres alone may know.
_ADD = f"""
insert into {AGENT_REWARD.name} as known (tenant, scope, agent, hour, examples, reward_micro, reward_micro_squared)
select told.tenant, told.scope, told.agent, date_trunc('hour', first.recorded_at, 'UTC'), sum(told.examples),
  sum(told.reward_micro), sum(told.reward_micro_squared)
from jsonb_to_recordset(%s::jsonb) as told (task_id text, attempt bigint, scope text, tenant text, agent text, examples bigint,
  reward_micro bigint, reward_micro_squared numeric)
join {_TABLE.name} as first using (task_id, attempt, scope)
group by 1, 2, 3, 4
on conflict (tenant, scope, agent, hour) do update set examples = known.examples + excluded.examples,
  reward_micro = known.reward_micro + excluded.reward_micro,
  reward_micro_squared = known.reward_micro_squared + excluded.reward_micro_squared""".encode()  # noqa: S608 the names are ours


class ExampleRow(Struct, frozen=True, kw_only=True):
    """One row of `examples`; the reward is in millionths."""

    task_id: str
    attempt: int
    scope: str
    tenant: str
    agent: str
    variant: str | None
    propensity: float
    sequence: int
    revision: int
    reward_micro: int
    rule: str
    recorded_at: datetime
    revised_at: datetime | None


_COLUMNS = ", ".join(ExampleRow.__struct_fields__)


async def examples_of(connection: Connection, task_id: str) -> list[ExampleRow]:
    """Return what was learned from a task's attempts."""
    query = f"select {_COLUMNS} from public.examples where task_id = %s order by attempt, scope"  # noqa: S608 ours
    return await fetch(connection, ExampleRow, query, (task_id,))


def write(facts: Sequence[Logged]) -> list[Statement]:
    """Return what writes examples, then the sums."""
    return [*_MERGE.plan(_row(logged) for logged in facts), Statement(_ADD, (jsonb(map(_sum, facts)),))]


def _row(logged: Logged) -> Row:
    """Return what one fact says of an example."""
    fact, at = _example(logged), logged.event.envelope.time
    revised = {"revision": fact.revision, "revised_at": at} if isinstance(fact, ExampleSuperseded) else {"revision": 0}
    return {
        **told(fact, "task_id", "attempt", "scope", "tenant", "agent", "variant", "propensity", "rule", "sequence"),
        **revised,
        "reward_micro": micro(fact.reward),
        "recorded_at": at,
    }


def _sum(logged: Logged) -> Row:
    """Return what a fact adds to the sums of its agent, or takes back, and of which example."""
    fact = _example(logged)
    new = micro(fact.reward)
    old = micro(fact.old_reward) if isinstance(fact, ExampleSuperseded) else 0
    return {
        **told(fact, "task_id", "attempt", "scope", "tenant", "agent"),
        "examples": 1 if isinstance(fact, ExampleRecorded) else 0,
        "reward_micro": new - old,
        "reward_micro_squared": new * new - old * old,
    }


def _example(logged: Logged) -> ExampleRecorded | ExampleSuperseded:
    """Return the example fact; the projection reads no other."""
    fact = logged.event.fact
    if not isinstance(fact, ExampleRecorded | ExampleSuperseded):
        raise TypeError(f"{type(fact).__name__} is no example")
    return fact


_VIEW = view_of("examples", _TABLE)
_REWARD_VIEW = view_of("agent_reward", AGENT_REWARD)
EXAMPLES = Projection(
    name="examples",
    version=1,
    tables=(_TABLE, AGENT_REWARD),
    views=(_VIEW, _REWARD_VIEW),
    reads=(ExampleRecorded, ExampleSuperseded),
    compared=(compared(_VIEW, _TABLE), compared(_REWARD_VIEW, AGENT_REWARD)),
    write=write,
)
