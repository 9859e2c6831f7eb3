"""What a read model is: tables, views over them, the facts it reads, and how a batch of those changes its rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct
from psycopg.rows import class_row
from sqlalchemy import Table

from events.event import Event, Fact
from projections.merge import Merge, Row
from projections.statement import Statement, run
from projections.view import View
from store.postgres import Connection

R = TypeVar("R")


class Logged(Struct, frozen=True, gc=False):
    """A fact with its place in the log: the first with its id."""

    event: Event[Fact]
    topic: str
    partition: int
    offset: int


Rows = Callable[[Logged], Iterable[Row]]
Plan = Callable[[Sequence[Logged]], list[Statement]]


class Compared(Struct, frozen=True):
    """A relation that is compared byte for byte: with the naive fold, and between generations (by the search path)."""

    name: str
    relation: str
    key: tuple[str, ...]


class Projection(Struct, frozen=True, kw_only=True):
    """One read model. Tables are called `<name>_v<version>`, views are what people read."""

    name: str
    version: int
    tables: tuple[Table, ...]
    views: tuple[View, ...]
    reads: tuple[type[Fact], ...]
    compared: tuple[Compared, ...]
    write: Plan

    def plan(self, facts: Sequence[Logged]) -> list[Statement]:
        """Return what writes a batch, to be run inside the fold's transaction; the same fact never comes twice."""
        heard = [logged for logged in facts if type(logged.event.fact) in self.reads]
        return self.write(heard) if heard else []

    async def apply(self, connection: Connection, facts: Sequence[Logged]) -> None:
        """Write a batch; call it inside a transaction that says which generation is meant."""
        await run(connection, self.plan(facts))


def merging(table: Table, rows: Rows) -> Plan:
    """Return the plain way to write: each fact gives rows, and rows are merged by the columns' rules."""

    merge = Merge(table)

    def write(facts: Sequence[Logged]) -> list[Statement]:
        return merge.plan(row for logged in facts for row in rows(logged))

    return write


def compared(view: View, table: Table) -> Compared:
    """Return how a view with a table's key is compared."""
    return Compared(view.name, view.relation(), tuple(column.name for column in table.primary_key))


async def fetch(
    connection: Connection,
    row: type[R],
    query: str,
    arguments: Sequence[Any] | Mapping[str, Any] = (),
    prepare: bool | None = None,
) -> list[R]:
    """Return the rows of a query as `row`, whose fields are the query's columns.

    `prepare=False`: plan it for these arguments each time; what is prepared gets one plan for all arguments.
    """
    async with connection.cursor(row_factory=class_row(row)) as cursor:
        await cursor.execute(query.encode(), arguments, prepare=prepare)
        return await cursor.fetchall()
