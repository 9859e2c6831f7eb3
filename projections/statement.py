"""What a read model asks of Postgres: statements with their parameters, worked out before anybody talks to it."""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from store.packed import execute
from store.postgres import Connection


class Statement(Struct, frozen=True):
    """One statement and its parameters. It answers nothing that matters, so that the next one need not wait for it."""

    sql: bytes
    parameters: tuple[Any, ...] = ()


async def run(connection: Connection, statements: Iterable[Statement]) -> None:
    """Run statements one after the other."""
    for statement in statements:
        await execute(connection, statement.sql, statement.parameters)
