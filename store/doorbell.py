"""Waking up: somebody committed rows and rang; who waits looks again. A ring may be lost, so a wait always ends."""

from psycopg import sql

from store.postgres import Connection, connect


class Doorbell:
    """Hears the notifications of one channel, over a connection that does nothing else."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    async def install(cls, dsn: str, channel: str, application: str) -> "Doorbell":
        """Return a doorbell that hears whatever is rung from now on."""
        connection = await connect(dsn, application)
        await connection.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
        return cls(connection)

    async def wait(self, timeout_s: float) -> bool:
        """Return true as soon as it rings, or false after `timeout_s`; all rings until then count as one.

        Raises:
            psycopg.OperationalError: Postgres went away.
        """
        rang = False
        async for _ in self._connection.notifies(timeout=timeout_s, stop_after=1):
            rang = True
        async for _ in self._connection.notifies(timeout=0):
            pass
        return rang

    async def close(self) -> None:
        """Take it down."""
        await self._connection.close()
