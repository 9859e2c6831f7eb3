"""Raw `COPY` of rows that are there already into tables that are the same: as fast as Postgres can be given them.

The new tables stand in a schema of their own, made from the same declarations; so they have the same indexes, but for the
HNSW one, which no declaration makes.
"""

import time
from collections.abc import Mapping

from projections.catalog import PROJECTIONS, tables_of
from projections.generation import schema_sql
from store.postgres import Connection

Rows = Mapping[str, bytes]  # by table, as COPY writes them
_SCHEMA = "copied"


async def rows_of(connection: Connection, schema: str) -> Rows:
    """Return every row of a generation."""
    return {table.name: await _out(connection, f"{schema}.{table.name}") for table in tables_of(PROJECTIONS)}


def count(rows: Rows) -> int:
    """Return how many rows there are; COPY escapes line ends within them."""
    return sum(content.count(b"\n") for content in rows.values())


async def copy_in(connection: Connection, rows: Rows) -> tuple[float, int]:
    """Copy all rows into empty tables in one transaction; return the seconds that took, and how many rows lie there now."""
    await connection.execute(";\n".join(schema_sql(_SCHEMA, PROJECTIONS)).encode(), prepare=False)
    begun = time.perf_counter()
    async with connection.transaction():
        for table, content in rows.items():
            async with connection.cursor().copy(f"copy {_SCHEMA}.{table} from stdin".encode()) as copy:
                await copy.write(content)
    seconds = time.perf_counter() - begun
    there = sum([await _count(connection, table) for table in rows])
    await connection.execute(f"drop schema {_SCHEMA} cascade".encode())
    return seconds, there


async def _out(connection: Connection, table: str) -> bytes:
    parts = []
    async with connection.cursor().copy(f"copy (select * from {table}) to stdout".encode()) as copy:
        async for part in copy:
            parts.append(bytes(part))
    return b"".join(parts)


async def _count(connection: Connection, table: str) -> int:
    row = await (await connection.execute(f"select count(*) from {_SCHEMA}.{table}".encode())).fetchone()
    return int(row[0]) if row else 0
