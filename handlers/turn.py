"""One of a kind: of all processes that read the log under one name, one works and the others stand by."""

from asyncio import Event as Flag
from asyncio import sleep

from events.topics import Names
from store.postgres import Connection

_LOCK = "select pg_try_advisory_lock(hashtextextended('smolit.' || %s || '.' || %s, 0))"


async def take_turn(connection: Connection, names: Names, stopped: Flag, poll_s: float, consumer: str) -> bool:
    """Wait until this is the only one of its kind; false if told to stop before. The lock lives as long as the connection."""
    while not stopped.is_set():
        row = await (await connection.execute(_LOCK, (consumer, names.prefix))).fetchone()
        if row and row[0]:
            return True
        await sleep(poll_s)
    return False
