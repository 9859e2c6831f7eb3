"""Snapshots of policy states, so that a process that starts need not fold the whole history."""

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, Text

from store.metadata import metadata
from store.postgres import Connection

policy_snapshot = Table(
    "policy_snapshot",
    metadata,
    Column("tenant", Text, primary_key=True, comment="whose tasks"),
    Column("scope", Text, primary_key=True, comment="what the state covers"),
    Column("policy", Text, primary_key=True, comment="policy name, version, parameters and context map, as one key"),
    Column("upto", BigInteger, primary_key=True, comment="offset of the last example that the state has taken in"),
    Column("partition", Integer, nullable=False, comment="partition of the learning topic"),
    Column("covers", BigInteger, nullable=False, comment="offset of the first record not yet read"),
    Column("sequence", BigInteger, nullable=False, comment="number of the last example that the state has taken in"),
    Column("digest", Text, nullable=False, comment="sha256 of the state"),
    Column("state", LargeBinary, nullable=False, comment="the state's canonical bytes"),
    comment="States of policies as of an offset of the learning topic; the newest two of each are kept.",
)

_SAVE = """
insert into ops.policy_snapshot (tenant, scope, policy, upto, partition, covers, sequence, digest, state)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
on conflict (tenant, scope, policy, upto) do update set covers = greatest(policy_snapshot.covers, excluded.covers)"""
_PRUNE = """
delete from ops.policy_snapshot where tenant = %s and scope = %s and policy = %s and upto not in (
  select upto from ops.policy_snapshot where tenant = %s and scope = %s and policy = %s order by upto desc limit 2)"""
_NEWEST = """
select distinct on (tenant, scope, policy) tenant, scope, policy, upto, partition, covers, sequence, digest, state
from ops.policy_snapshot order by tenant, scope, policy, upto desc"""


class Snapshot(Struct, frozen=True):
    """One policy state as of an offset; every record of the partition below `covers` has been read."""

    tenant: str
    scope: str
    policy: str
    upto: int
    partition: int
    covers: int
    sequence: int
    digest: str
    state: bytes


async def save(connection: Connection, snapshots: Sequence[Snapshot]) -> None:
    """Store the snapshots of one partition together, and forget all but the newest two of each kind."""
    async with connection.transaction():
        for one in snapshots:
            kind = (one.tenant, one.scope, one.policy)
            figures = (one.upto, one.partition, one.covers, one.sequence, one.digest, one.state)
            await connection.execute(_SAVE, (*kind, *figures))
            await connection.execute(_PRUNE, (*kind, *kind))


async def newest(connection: Connection) -> list[Snapshot]:
    """Return the newest snapshot of each kind."""
    cursor = await connection.execute(_NEWEST)
    return [Snapshot(*row) for row in await cursor.fetchall()]
