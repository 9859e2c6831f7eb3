"""Connections to Postgres."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TypeVar

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import TupleRow

from store.errors import PostgresUnreachable

Connection = AsyncConnection[TupleRow]
Connect = Callable[[str, str], Awaitable[Connection]]  # address, application
C = TypeVar("C", bound=Connection)
# A process that stands still (SIGSTOP, a machine asleep) in the middle of a transaction would hold its locks for as long,
# and nobody could take over from it. No transaction of ours pauses for longer; who does, starts again from its last commit.
_PATIENCE = "set idle_in_transaction_session_timeout = '10s'"


async def connect(dsn: str, application: str) -> Connection:
    """Return a connection; transactions are opened explicitly with `async with connection.transaction()`.

    Raises:
        PostgresUnreachable: nobody answers, or the database is not there.
    """
    return await opened(AsyncConnection[TupleRow], dsn, application)


async def opened(kind: type[C], dsn: str, application: str) -> C:
    """Return a connection of a kind that its caller has made of the plain one; raises what `connect` raises."""
    try:
        connection = await kind.connect(dsn, autocommit=True, application_name=application, connect_timeout=10)
        await connection.execute(_PATIENCE)
        return connection
    except OperationalError as error:
        raise PostgresUnreachable(f"no Postgres answers; start one with `smolit up` ({_first_line(error)})") from error


@asynccontextmanager
async def snapshot(connection: Connection) -> AsyncIterator[None]:
    """Read as of one moment, and write nothing; who reads may take its time between two questions."""
    async with connection.transaction():
        await connection.execute("set transaction isolation level repeatable read, read only")
        await connection.execute("set local idle_in_transaction_session_timeout = 0")
        yield


async def time_of(connection: Connection) -> datetime:
    """Return the server's clock."""
    row = await (await connection.execute("select clock_timestamp()")).fetchone()
    if row is None:
        raise PostgresUnreachable("Postgres does not tell the time")
    moment: datetime = row[0]
    return moment


def _first_line(error: Exception) -> str:
    """Return the first line of an error, which names the address and never the password."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
