"""What a restore leaves behind: up to where each request log is older than it.

What happened after the backup was taken is not in it, so nobody knows whether a task from before the restore had its side
effects meanwhile. The effect ledger asks here, and leaves the answer to a person.
"""

from collections.abc import Mapping

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from store.metadata import metadata
from store.postgres import Connection

restored = Table(
    "restored",
    metadata,
    Column("topic", Text, primary_key=True, comment="request topic"),
    Column("partition", Integer, primary_key=True, autoincrement=False, comment="Kafka partition"),
    Column("before", BigInteger, nullable=False, comment="requests below this offset came before the restore"),
    comment="Where the request logs ended when this database was restored from a backup; empty if it never was.",
)

_NOTE = """
insert into ops.restored (topic, partition, before) select * from unnest(%s::text[], %s::int[], %s::bigint[])
on conflict (topic, partition) do update set before = excluded.before"""


async def note(connection: Connection, ends: Mapping[tuple[str, int], int]) -> None:
    """Write down where the request logs end, before anything runs on them."""
    columns = ([topic for topic, _ in ends], [partition for _, partition in ends], list(ends.values()))
    await connection.execute(_NOTE, columns)
