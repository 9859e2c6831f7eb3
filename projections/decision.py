"""Read model `decisions`: which agent was chosen for each attempt, and why; one row per task and attempt."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import BigInteger, Boolean, Double, Index, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from events.task import AgentChosen, Assignment
from projections.column import TIME, key, metadata, once
from projections.merge import Row, told
from projections.projection import Logged, Projection, compared, fetch, merging
from projections.view import view_of
from store.postgres import Connection

_TABLE = Table(
    "decisions_v1",
    metadata,
    key("task_id", Text, "id of the task"),
    key("attempt", BigInteger, "number of the attempt, from 1"),
    once("tenant", Text, "whose task it is"),
    once("scope", Text, "what the policy's state covers"),
    once("kind", Text, "what sort of task it is, as its producer said"),
    once("chosen_at", TIME, "when the agent was chosen"),
    once("agent", Text, "the agent that was chosen"),
    once("propensity", Double, "the probability that it had"),
    once("explored", Boolean, "whether another agent was the more likely one"),
    once("draw", Double, "the draw in [0, 1) that decided"),
    once("decided_by", Text, "default, experiment or policy_set"),
    once("policy", Text, "the policy that chose"),
    once("policy_version", BigInteger, "version of the policy"),
    once("policy_parameters", JSONB, "parameters of the policy"),
    once("policy_digest", Text, "digest of the state that the policy was in"),
    once("policy_upto", BigInteger, "offset of the last example that the state had taken in; -1: none"),
    once("policy_model", Text, "id of the version that was promoted, in `models`; null: none was"),
    once("context_map", Text, "digest of the map from features to the policy's context"),
    once("features_version", Text, "version of the features"),
    once("experiment", Text, "experiment that the task was put into"),
    once("variant", Text, "variant of the experiment"),
    once("unit", Text, "unit that the experiment assigns by"),
    once("candidates", JSONB, "each candidate with its score, the parts of the score, and its probability"),
    once("left_out", JSONB, "each agent that could not be chosen, and why"),
    once("log_partition", BigInteger, "Kafka partition of the choice"),
    once("log_offset", BigInteger, "Kafka offset of the choice"),
    Index("decisions_v1_chosen_at", "tenant", "chosen_at"),
    comment="Which agent was chosen for each attempt, with which probability, by which policy, and why.",
)


class DecisionRow(Struct, frozen=True, kw_only=True):
    """One row of `decisions`; `candidates` and `left_out` are lists of objects as in the fact."""

    task_id: str
    attempt: int
    tenant: str
    scope: str
    kind: str | None
    chosen_at: datetime
    agent: str
    propensity: float
    explored: bool
    draw: float
    decided_by: str
    policy: str
    policy_version: int
    policy_parameters: dict[str, Any]
    policy_digest: str
    policy_upto: int
    policy_model: str | None
    context_map: str
    features_version: str
    experiment: str | None
    variant: str | None
    unit: str | None
    candidates: list[dict[str, Any]]
    left_out: list[dict[str, Any]]
    log_partition: int
    log_offset: int


_COLUMNS = ", ".join(DecisionRow.__struct_fields__)


async def decisions_of(connection: Connection, task_id: str) -> list[DecisionRow]:
    """Return the choices of a task, first attempt first."""
    query = f"select {_COLUMNS} from public.decisions where task_id = %s order by attempt"  # noqa: S608 columns are ours
    return await fetch(connection, DecisionRow, query, (task_id,))


async def decisions(connection: Connection, tenant: str, *, limit: int = 50) -> list[DecisionRow]:
    """Return a tenant's choices, newest first."""
    query = f"""select {_COLUMNS} from public.decisions where tenant = %s
        order by chosen_at desc, task_id, attempt limit %s"""  # noqa: S608 columns are ours
    return await fetch(connection, DecisionRow, query, (tenant, limit))


def rows(logged: Logged) -> Iterator[Row]:
    """Yield the row of a choice."""
    fact = logged.event.fact
    if isinstance(fact, AgentChosen):
        yield {
            **_choice(fact),
            **_policy(fact),
            **_assigned(fact.context.assignment),
            "chosen_at": logged.event.envelope.time,
            "log_partition": logged.partition,
            "log_offset": logged.offset,
        }


def _choice(fact: AgentChosen) -> Row:
    """Return who was chosen out of whom."""
    return {
        **told(fact, "task_id", "attempt", "tenant", "agent", "propensity", "explored", "draw", "decided_by"),
        "context_map": fact.context_map,
        "scope": fact.context.scope,
        "kind": fact.context.kind,
        "features_version": fact.context.features.version,
        "candidates": fact.candidates,
        "left_out": fact.left_out,
    }


def _policy(fact: AgentChosen) -> Row:
    """Return what chose, and the state it was in."""
    policy = fact.policy
    return {
        "policy": policy.name,
        "policy_version": policy.version,
        "policy_parameters": policy.parameters,
        "policy_digest": policy.digest,
        "policy_upto": policy.upto,
        "policy_model": policy.model,
    }


def _assigned(assignment: Assignment | None) -> Row:
    """Return the experiment's columns."""
    if assignment is None:
        return {}
    return told(assignment, "experiment", "variant", "unit")


_VIEW = view_of("decisions", _TABLE)
DECISIONS = Projection(
    name="decisions",
    version=1,
    tables=(_TABLE,),
    views=(_VIEW,),
    reads=(AgentChosen,),
    compared=(compared(_VIEW, _TABLE),),
    write=merging(_TABLE, rows),
)
