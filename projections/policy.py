"""Read model `policy_history`: which policies people put in force, and which states were stored."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import BigInteger, Index, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from events.learning import SnapshotPublished
from events.model import PolicySet
from projections.column import TIME, key, metadata, once
from projections.merge import Row, told
from projections.projection import Logged, Projection, compared, fetch, merging
from projections.view import view_of
from store.postgres import Connection

_TABLE = Table(
    "policy_history_v1",
    metadata,
    key("event_id", Text, "id of the fact"),
    once("happened_at", TIME, "when it happened"),
    once("change", Text, "set: a person put a policy in force; snapshot: a state was stored"),
    once("tenant", Text, "whose policy it is"),
    once("scope", Text, "what the policy's state covers"),
    once("policy", Text, "name of the policy; null: the choice was given back"),
    once("policy_version", BigInteger, "version of the policy whose state was stored"),
    once("parameters", JSONB, "parameters of the policy that was put in force"),
    once("set_by", Text, "who put it in force"),
    once("reason", Text, "why"),
    once("context_map", Text, "digest of the map from features to the policy's context"),
    once("upto", BigInteger, "offset of the last example in the stored state"),
    once("digest", Text, "digest of the stored state"),
    once("sequence", BigInteger, "number of the last example in the stored state: so many it has taken in"),
    Index("policy_history_v1_time", "tenant", "scope", "happened_at"),
    comment="Which policies people put in force, and which states the learner stored.",
)


class PolicyChange(Struct, frozen=True, kw_only=True):
    """One row of `policy_history`."""

    event_id: str
    happened_at: datetime
    change: str
    tenant: str
    scope: str
    policy: str | None
    policy_version: int | None
    parameters: dict[str, Any] | None
    set_by: str | None
    reason: str | None
    upto: int | None
    digest: str | None
    sequence: int | None


_COLUMNS = ", ".join(PolicyChange.__struct_fields__)


async def policy_history(connection: Connection, tenant: str, *, scope: str | None = None, limit: int = 50) -> list[PolicyChange]:
    """Return what happened to a tenant's policies, newest first."""
    query = f"""select {_COLUMNS} from public.policy_history
        where tenant = %s and (%s::text is null or scope = %s)
        order by happened_at desc, event_id limit %s"""  # noqa: S608 columns are ours
    return await fetch(connection, PolicyChange, query, (tenant, scope, scope, limit))


def rows(logged: Logged) -> Iterator[Row]:
    """Yield the row of one change."""
    fact, envelope = logged.event.fact, logged.event.envelope
    row = {"event_id": envelope.id, "happened_at": envelope.time, "tenant": fact.tenant}
    match fact:
        case PolicySet():
            yield {**row, "change": "set", **told(fact, "scope", "policy", "parameters", "set_by", "reason")}
        case SnapshotPublished():
            state = told(fact, "scope", "policy", "policy_version", "context_map", "upto", "sequence", "digest")
            yield {**row, "change": "snapshot", **state}


_VIEW = view_of("policy_history", _TABLE)
POLICY_HISTORY = Projection(
    name="policy_history",
    version=1,
    tables=(_TABLE,),
    views=(_VIEW,),
    reads=(PolicySet, SnapshotPublished),
    compared=(compared(_VIEW, _TABLE),),
    write=merging(_TABLE, rows),
)
