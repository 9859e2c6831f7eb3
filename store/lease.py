"""Leases of outbox shards: one relay per shard, named by an epoch that grows with every change of hands.

Postgres's clock is the only one asked: a relay whose own clock is wrong neither loses nor steals a shard.
"""

from collections.abc import Mapping

from sqlalchemy import BigInteger, Column, DateTime, SmallInteger, Table, Text

from store.errors import Fenced
from store.metadata import metadata
from store.outbox import SHARDS
from store.postgres import Connection

relay_lease = Table(
    "relay_lease",
    metadata,
    Column("shard", SmallInteger, primary_key=True, autoincrement=False, comment="shard of the outbox"),
    Column("owner", Text, nullable=False, comment="relay that holds it, or held it last"),
    Column("epoch", BigInteger, nullable=False, comment="how often it changed hands; fences the relays before"),
    Column("lease_until", DateTime(timezone=True), nullable=False, comment="free from then on"),
    comment="Which relay publishes which shard of the outbox.",
)

_OPEN = """
insert into ops.relay_lease (shard, owner, epoch, lease_until)
select shard, '', 0, '-infinity' from generate_series(0, %s - 1) as shard
on conflict do nothing"""
_TAKE = """
update ops.relay_lease set owner = %s, epoch = epoch + 1, lease_until = now() + make_interval(secs => %s)
where shard in (select shard from ops.relay_lease where lease_until < now() order by shard for update skip locked)
returning shard, epoch"""
_RENEW = """
update ops.relay_lease as lease set lease_until = now() + make_interval(secs => %s)
from unnest(%s::int[], %s::bigint[]) as held(shard, epoch)
where lease.shard = held.shard and lease.epoch = held.epoch"""
_RELEASE = """
update ops.relay_lease as lease set lease_until = '-infinity'
from unnest(%s::int[], %s::bigint[]) as held(shard, epoch)
where lease.shard = held.shard and lease.epoch = held.epoch"""


async def open_shards(connection: Connection) -> None:
    """Make the rows of all shards, once."""
    await connection.execute(_OPEN, (SHARDS,))


async def take_free(connection: Connection, owner: str, lease_s: float) -> dict[int, int]:
    """Take every shard whose lease ran out; return the new epoch of each."""
    cursor = await connection.execute(_TAKE, (owner, lease_s))
    return {int(shard): int(epoch) for shard, epoch in await cursor.fetchall()}


async def renew(connection: Connection, held: Mapping[int, int], lease_s: float) -> None:
    """Prolong the leases we hold.

    Raises:
        Fenced: one of them is another's by now.
    """
    cursor = await connection.execute(_RENEW, (lease_s, list(held), list(held.values())))
    if cursor.rowcount != len(held):
        raise Fenced("another relay took over a shard of ours; this one stops")


async def release(connection: Connection, held: Mapping[int, int]) -> None:
    """Free the leases we hold, so that the next relay need not wait until they run out."""
    await connection.execute(_RELEASE, (list(held), list(held.values())))
