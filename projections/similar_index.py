"""The HNSW index over the vectors of past tasks, built aside: while the projections go on, and once it pays.

A migration could not build it without locking the table for its whole length, and below some thousand vectors the exact
scan is as fast. Each generation has an index of its own: whoever folds the one that serves looks after it, so that after a
switch questions go to the exact scan until the new one is built. Source of the index: Malkov & Yashunin, arXiv:1603.09320; https://github.com/pgvector/pgvector.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from psycopg import OperationalError
from psycopg.errors import InvalidSchemaName, UndefinedObject, UndefinedTable

from store.errors import PostgresUnreachable
from store.postgres import Connection

NEAREST = "similar_tasks_v1_nearest"
ENOUGH = 5_000
LOOK_S = 60.0

_IS_WHOLE = "select indisvalid from pg_index where indexrelid = to_regclass(%(name)s)"
_ARE_ENOUGH = "select count(*) >= %(enough)s from (select from {schema}.similar_tasks_v1 limit %(enough)s) as few"
_DROP = f"drop index concurrently {{schema}}.{NEAREST}"
_MAKE = f"create index concurrently {NEAREST} on {{schema}}.similar_tasks_v1 using hnsw (embedding halfvec_cosine_ops)"


async def build(connection: Connection, schema: str, enough: int = ENOUGH) -> bool:
    """Build a generation's index if it is missing and worth it; return whether it is there. An unfinished one is made anew."""
    whole = await _only(connection, _IS_WHOLE, {"name": f"{schema}.{NEAREST}"})
    if whole:
        return True
    if whole is False:
        await connection.execute(_DROP.format(schema=schema).encode())
    if not await _only(connection, _ARE_ENOUGH.format(schema=schema), {"enough": enough}):
        return False
    await connection.execute(_MAKE.format(schema=schema).encode())
    return True


@asynccontextmanager
async def tended(connect: Callable[[], Awaitable[Connection]], schema: str) -> AsyncIterator[None]:
    """Have a generation's index built beside what is done meanwhile, once it is worth it; what is then under way is given up."""
    tending = asyncio.create_task(_tend(connect, schema))
    try:
        yield
    finally:
        tending.cancel()
        with suppress(asyncio.CancelledError):
            await tending


async def _tend(connect: Callable[[], Awaitable[Connection]], schema: str) -> None:
    """Look now and then, until the index is there."""
    while not await _looked(connect, schema):  # noqa: ASYNC110 the table is asked, nobody announces that it has grown
        await asyncio.sleep(LOOK_S)


async def _looked(connect: Callable[[], Awaitable[Connection]], schema: str) -> bool:
    """Build the index on a connection of its own; without it every question is answered by the exact scan, so it can wait."""
    try:
        connection = await connect()
    except PostgresUnreachable:
        return False
    try:
        return await build(connection, schema)
    except (InvalidSchemaName, UndefinedTable, UndefinedObject):  # the generation was dropped: the next step ends us
        return False
    except OperationalError:  # no space or no memory, or the server went down: Postgres' own log says which
        return False
    finally:
        await connection.close()


async def _only(connection: Connection, query: str, arguments: Mapping[str, object]) -> bool | None:
    """Return the only figure of a query; None if it gives no row."""
    row = await (await connection.execute(query.encode(), arguments)).fetchone()
    return bool(row[0]) if row else None
