"""Connections to Postgres."""

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import TupleRow

from store.errors import PostgresUnreachable

Connection = AsyncConnection[TupleRow]


async def connect(dsn: str, application: str) -> Connection:
    """Return a connection; transactions are opened explicitly with `async with connection.transaction()`.

    Raises:
        PostgresUnreachable: nobody answers, or the database is not there.
    """
    try:
        connection: Connection = await AsyncConnection.connect(
            dsn, autocommit=True, application_name=application, connect_timeout=10
        )
    except OperationalError as error:
        raise PostgresUnreachable(f"no Postgres answers; start one with `smolit up` ({_first_line(error)})") from error
    return connection


def _first_line(error: Exception) -> str:
    """Return the first line of an error, which names the address and never the password."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
