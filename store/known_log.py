"""Which log each topic had when we first read it: all positions, claims and snapshots of this database are places in it.

A topic that is deleted and made anew keeps its name and gets another id; to go on at an old position in a new log would
pass records over without a word.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Column, DateTime, Table, Text, text

from store.metadata import metadata
from store.postgres import Connection

known_log = Table(
    "known_log",
    metadata,
    Column("topic", Text, primary_key=True, comment="Kafka topic"),
    Column("log", Text, nullable=False, comment="Kafka's id of the topic, which one made anew does not share"),
    Column("seen_at", DateTime(timezone=True), nullable=False, server_default=text("now()"), comment="first read at"),
    comment="The logs that our positions are from; a process refuses to start on another one.",
)

_READ = "select topic, log from ops.known_log where topic = any(%s)"
_REMEMBER = """
insert into ops.known_log (topic, log) select * from unnest(%s::text[], %s::text[])
on conflict do nothing"""


async def remembered(connection: Connection, topics: Sequence[str]) -> dict[str, str]:
    """Return the id of the log of each of these topics, as it was when we first read it."""
    cursor = await connection.execute(_READ, (list(topics),))
    return {str(topic): str(log) for topic, log in await cursor.fetchall()}


async def remember(connection: Connection, logs: Mapping[str, str]) -> None:
    """Keep the ids of logs that are read for the first time; what is known stays."""
    await connection.execute(_REMEMBER, (list(logs), list(logs.values())))
