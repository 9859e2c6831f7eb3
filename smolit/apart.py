"""Other people's tables in our Postgres: a schema of their own each, its address for SQLAlchemy, and locks of who writes."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL

from store.errors import PostgresUnreachable

_CONNECT_S = 10


def address(dsn: str, schema: str) -> str:
    """Return the address of a schema as SQLAlchemy reads it; it contains the password."""
    parts = {name: str(what) for name, what in conninfo_to_dict(dsn).items() if what is not None}
    plain = {name: parts.pop(name, None) for name in ("user", "password", "host", "port", "dbname")}
    options = f"{parts.pop('options', '')} -csearch_path={schema}".strip()
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


def exists(dsn: str, table: str) -> bool:
    """Say whether there is a table, named with its schema; raises PostgresUnreachable."""
    with connected(dsn) as connection:
        return connection.execute("select to_regclass(%s)", (table,)).fetchone() != (None,)


@contextmanager
def connected(dsn: str) -> Iterator[psycopg.Connection]:
    """Yield a connection that commits each statement; raises PostgresUnreachable where nobody answers."""
    try:
        opened = psycopg.connect(dsn, autocommit=True, application_name="smolit-apart", connect_timeout=_CONNECT_S)
    except psycopg.OperationalError as error:
        first = str(error).strip().partition("\n")[0]
        raise PostgresUnreachable(f"no Postgres answers; start one with `smolit up` ({first})") from error
    with opened:
        yield opened
