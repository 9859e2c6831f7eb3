"""The schema that MLflow's tables lie in: its lock, and taking it away."""

from collections.abc import Iterator
from contextlib import contextmanager

from smolit.apart import connected

SCHEMA = "mlflow"
_LOCK = 0x736D6F6C  # who writes to the tracker holds it: two at once would give one number twice


@contextmanager
def held_alone(dsn: str, anew: bool = False) -> Iterator[None]:
    """Have the schema there and to oneself while the context lasts; `anew` takes away all that it holds.

    Raises:
        PostgresUnreachable: nobody answers.
    """
    with connected(dsn) as connection:
        connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
        if anew:
            connection.execute(f"drop schema if exists {SCHEMA} cascade")
        connection.execute(f"create schema if not exists {SCHEMA}")
        yield
