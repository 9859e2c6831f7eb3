"""Read model `agents`: each agent as it was last described, and whether it may be chosen.

Which of two facts came later is said by their offsets: all facts of an agent are in one partition.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import BigInteger, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from events.agent import AgentPaused, AgentRegistered, AgentResumed, AgentRetired, AgentRevised
from projections.column import TIME, earliest, highest, key, latest, metadata, summed
from projections.merge import Row
from projections.projection import Logged, Projection, compared, fetch, merging
from projections.view import view_of
from store.postgres import Connection

_TABLE = Table(
    "agents_v1",
    metadata,
    key("tenant", Text, "whose agent it is"),
    key("agent_id", Text, "id of the agent"),
    latest("digest", Text, "digest of the spec", by="described_offset"),
    latest("spec", JSONB, "the agent as data: description, skills, pipeline, settings", by="described_offset"),
    summed("revisions", BigInteger, "how often it was registered or revised"),
    earliest("registered_at", TIME, "when it was first registered or revised"),
    highest("changed_at", TIME, "when anything about it last changed"),
    latest("reason", Text, "why it was last paused or retired", by="reason_offset"),
    earliest("first_offset", BigInteger, "offset of the first registration or revision"),
    highest("described_offset", BigInteger, "offset of the last registration or revision"),
    highest("registered_offset", BigInteger, "offset of the last registration"),
    highest("paused_offset", BigInteger, "offset of the last pause"),
    highest("resumed_offset", BigInteger, "offset of the last resumption"),
    highest("retired_offset", BigInteger, "offset of the last retirement"),
    highest("reason_offset", BigInteger, "offset of the last pause or retirement"),
    comment="Each agent as it was last described, and whether it may be chosen; one row per tenant and agent.",
)
_STATE = """case
  when known.described_offset is null then 'unknown'
  when known.retired_offset > greatest(known.first_offset, known.registered_offset) then 'retired'
  when known.paused_offset > greatest(known.first_offset, known.registered_offset, known.resumed_offset) then 'paused'
  else 'active' end"""
_STATE_COMMENT = "active, paused (drains), retired, or unknown: changed and never described"


class AgentRow(Struct, frozen=True, kw_only=True):
    """One row of `agents`; `spec` is the agent as data."""

    tenant: str
    agent_id: str
    state: str
    digest: str | None
    spec: dict[str, Any] | None
    revisions: int
    registered_at: datetime | None
    changed_at: datetime
    reason: str | None


_COLUMNS = ", ".join(AgentRow.__struct_fields__)


async def agents(connection: Connection, tenant: str) -> list[AgentRow]:
    """Return a tenant's agents by id."""
    query = f"select {_COLUMNS} from public.agents where tenant = %s order by agent_id"  # noqa: S608 columns are ours
    return await fetch(connection, AgentRow, query, (tenant,))


async def agent(connection: Connection, tenant: str, agent_id: str) -> AgentRow | None:
    """Return one agent, or None if nobody registered it."""
    query = f"select {_COLUMNS} from public.agents where tenant = %s and agent_id = %s"  # noqa: S608 columns are ours
    found = await fetch(connection, AgentRow, query, (tenant, agent_id))
    return found[0] if found else None


def rows(logged: Logged) -> Iterator[Row]:
    """Yield what one fact says of an agent."""
    fact, at, place = logged.event.fact, logged.event.envelope.time, logged.offset
    match fact:
        case AgentRegistered() | AgentRevised():
            yield {
                **_agent(fact, at),
                **{"digest": fact.digest, "spec": fact.spec, "described_offset": place, "first_offset": place},
                **{"revisions": 1, "registered_at": at},
                "registered_offset": place if isinstance(fact, AgentRegistered) else None,
            }
        case AgentPaused(reason=reason):
            yield {**_agent(fact, at), "paused_offset": place, "reason": reason, "reason_offset": place}
        case AgentResumed():
            yield {**_agent(fact, at), "resumed_offset": place}
        case AgentRetired(reason=reason):
            yield {**_agent(fact, at), "retired_offset": place, "reason": reason, "reason_offset": place}


_AgentFact = AgentRegistered | AgentRevised | AgentPaused | AgentResumed | AgentRetired


def _agent(fact: _AgentFact, at: datetime) -> Row:
    """Return what every fact of an agent says."""
    return {"tenant": fact.tenant, "agent_id": fact.agent_id, "changed_at": at}


_VIEW = view_of("agents", _TABLE, {"state": (_STATE, _STATE_COMMENT)})
AGENTS = Projection(
    name="agents",
    version=1,
    tables=(_TABLE,),
    views=(_VIEW,),
    reads=(AgentRegistered, AgentRevised, AgentPaused, AgentResumed, AgentRetired),
    compared=(compared(_VIEW, _TABLE),),
    write=merging(_TABLE, rows),
)
