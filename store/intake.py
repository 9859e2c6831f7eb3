"""What intake remembers of each request, so that one request becomes facts once.

The first record to claim a request key owns it: read again after a crash, the owner is processed again (its facts have
derived ids), any other record with the same key is a repeat or, with another payload, an error.
"""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct
from sqlalchemy import Column, Index, LargeBinary, Table, Text, Uuid

from store.metadata import metadata
from store.postgres import Connection

request_claim = Table(
    "request_claim",
    metadata,
    Column("request_key", Uuid, primary_key=True, comment="derived from tenant, source and request id"),
    Column("tenant", Text, nullable=False, comment="whose request topic it came in on"),
    Column("payload_sha256", Text, nullable=False, comment="hash of the request as it came"),
    Column("origin", Text, nullable=False, comment="topic/partition/offset of the record that owns the key"),
    Column("task_id", Uuid, nullable=True, comment="the task that the request created, if it is a submission"),
    Column("decided", LargeBinary, nullable=True, comment="what a change of what is in force became, as records"),
    Index("request_claim_task", "task_id"),
    comment="Requests that were taken in: the first record of a key owns it.",
)

_CLAIM = """
with new as (
  insert into ops.request_claim (request_key, tenant, payload_sha256, origin, task_id)
  select * from unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::uuid[])
  on conflict (request_key) do nothing
  returning request_key, origin, payload_sha256
)
select * from new
union all
select request_key, origin, payload_sha256 from ops.request_claim where request_key = any(%s::uuid[])"""
_READ = "select request_key, origin, payload_sha256 from ops.request_claim where request_key = any(%s::uuid[])"
_DECIDED = "select decided from ops.request_claim where request_key = %s"
_DECIDE = "update ops.request_claim set decided = %s where request_key = %s"
_RELEASE = "delete from ops.request_claim where request_key = %s and origin = %s"
_OWNERS = "select task_id, tenant from ops.request_claim where task_id = any(%s::uuid[])"


class Claim(Struct, frozen=True):
    """One record's claim to a request key."""

    request_key: str
    tenant: str
    payload_sha256: str
    origin: str
    task_id: str | None


async def claim(connection: Connection, claims: Sequence[Claim]) -> dict[str, tuple[str, str]]:
    """Claim request keys; return (origin, payload hash) of whoever owns each of them now."""
    ordered = sorted(claims, key=lambda claim: claim.request_key)  # one lock order: no deadlocks
    columns = (
        [claim.request_key for claim in ordered],
        [claim.tenant for claim in ordered],
        [claim.payload_sha256 for claim in ordered],
        [claim.origin for claim in ordered],
        [claim.task_id for claim in ordered],
    )
    owners = _owners(await (await connection.execute(_CLAIM, (*columns, columns[0]))).fetchall())
    if owners.keys() != set(columns[0]):  # claimed by another process while we looked: the statement does not see its rows
        owners = _owners(await (await connection.execute(_READ, (columns[0],))).fetchall())
    return owners


def _owners(rows: Sequence[tuple[UUID, str, str]]) -> dict[str, tuple[str, str]]:
    return {str(key): (origin, sha256) for key, origin, sha256 in rows}


async def tenants_of(connection: Connection, task_ids: Sequence[str]) -> dict[str, str]:
    """Return the tenant of each task that a request created; an unknown task is absent."""
    cursor = await connection.execute(_OWNERS, (list(task_ids),))
    return {str(task_id): tenant for task_id, tenant in await cursor.fetchall()}


async def decided(connection: Connection, request_key: str) -> bytes | None:
    """Return what was decided about a request before a crash, if it came that far."""
    cursor = await connection.execute(_DECIDED, (request_key,))
    row = await cursor.fetchone()
    return None if row is None or row[0] is None else bytes(row[0])


async def decide(connection: Connection, request_key: str, records: bytes) -> None:
    """Remember what was decided, before it is published: what is in force may look different when it is read again."""
    await connection.execute(_DECIDE, (records, request_key))


async def release(connection: Connection, request_key: str, origin: str) -> None:
    """Let go of the claim of a request that was refused, so that its replay can own the key; another owner's claim stays."""
    await connection.execute(_RELEASE, (request_key, origin))
