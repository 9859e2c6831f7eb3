"""Connections to Postgres."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import TupleRow

from store.errors import PostgresUnreachable

Connection = AsyncConnection[TupleRow]
Connect = Callable[[str, str], Awaitable[Connection]]  # address, application
C = TypeVar("C", bound=Connection)


async def connect(dsn: str, application: str) -> Connection:
    """Return a connection; transactions are opened explicitly with `async with connection.transaction()`.

    Raises:
        PostgresUnreachable: nobody answers, or the database is not there.
    """
    return await opened(AsyncConnection[TupleRow], dsn, application)


async def opened(kind: type[C], dsn: str, application: str) -> C:
    """Return a connection of a kind that its caller has made of the plain one; raises what `connect` raises."""
    try:
        return await kind.connect(dsn, autocommit=True, application_name=application, connect_timeout=10)
    except OperationalError as error:
        raise PostgresUnreachable(f"no Postgres answers; start one with `smolit up` ({_first_line(error)})") from error


def _first_line(error: Exception) -> str:
    """Return the first line of an error, which names the address and never the password."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
