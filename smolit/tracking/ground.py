"""The schema that MLflow's tables lie in, in our own Postgres: its address, its lock, and taking it away."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL

from store.errors import PostgresUnreachable

SCHEMA = "mlflow"
_LOCK = 0x736D6F6C  # who writes to the tracker holds it: two at once would give one number twice
_CONNECT_S = 10


def address(dsn: str) -> str:
    """Return the tables' address as SQLAlchemy and `mlflow ui` read it; it contains the password."""
    parts = {name: str(what) for name, what in conninfo_to_dict(dsn).items() if what is not None}
    plain = {name: parts.pop(name, None) for name in ("user", "password", "host", "port", "dbname")}
    options = f"{parts.pop('options', '')} -csearch_path={SCHEMA}".strip()
    made = URL.create(
        "postgresql+psycopg",
        username=plain["user"],
        password=plain["password"],
        host=plain["host"],
        port=int(plain["port"]) if plain["port"] else None,
        database=plain["dbname"],
        query={**parts, "options": options, "connect_timeout": str(_CONNECT_S)},
    )
    return made.render_as_string(hide_password=False)


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


def exists(dsn: str) -> bool:
    """Say whether anything was ever tracked; raises PostgresUnreachable."""
    with connected(dsn) as connection:
        return connection.execute("select to_regclass(%s)", (f"{SCHEMA}.experiments",)).fetchone() != (None,)


@contextmanager
def connected(dsn: str) -> Iterator[psycopg.Connection]:
    """Yield a connection that commits each statement; raises PostgresUnreachable where nobody answers."""
    try:
        opened = psycopg.connect(dsn, autocommit=True, application_name="smolit-tracking", connect_timeout=_CONNECT_S)
    except psycopg.OperationalError as error:
        first = str(error).strip().partition("\n")[0]
        raise PostgresUnreachable(
            f"the tracker's Postgres does not answer; what it misses is caught up later ({first})"
        ) from error
    with opened:
        yield opened
