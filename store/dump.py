"""The operational tables as files: what cannot be folded from the log again, out of one snapshot and back in one transaction."""

import gzip
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct
from psycopg import sql
from sqlalchemy import Table

from store.fold import fold_position
from store.generation import read_generation
from store.known_log import known_log
from store.lease import relay_lease
from store.metadata import OPS
from store.postgres import Connection
from store.remote import remote_attempt, remote_worker
from store.room import work_room
from store.tables import TABLES

# Leases run out, workers offer their room again, those elsewhere are heard of again, the logs that a restore makes are others,
# and read models are folded into the generation that is there.
_ANEW = (relay_lease, work_room, remote_worker, remote_attempt, known_log, read_generation)
DUMPED: tuple[Table, ...] = tuple(table for table in TABLES if table not in _ANEW)
# Read models are folded from offset 0 after a restore, so their positions are left out.
_WHERE: Mapping[str, str] = {fold_position.name: "where consumer not like 'projections.%'"}
_COLUMNS = """
select column_name from information_schema.columns where table_schema = %s and table_name = %s order by ordinal_position"""
_SEQUENCES = """
select table_name, column_name from information_schema.columns
where table_schema = %s and is_identity = 'YES' order by table_name"""
_LEVEL = 6


class Dumped(Struct, frozen=True):
    """One table in a file: COPY's text format, gzip."""

    table: str
    columns: tuple[str, ...]
    rows: int
    file: str


async def dump(connection: Connection, folder: Path) -> list[Dumped]:
    """Write every table into a folder; call it inside `snapshot`, so that all are of one moment."""
    return [await _dump_one(connection, str(table.name), folder) for table in DUMPED]


async def load(connection: Connection, folder: Path, dumped: Sequence[Dumped]) -> dict[str, int]:
    """Fill empty tables from a folder in the caller's transaction; return the rows of each as the table counts them."""
    counts = {one.table: await _load_one(connection, one, folder) for one in dumped}
    await _set_sequences(connection)
    return counts


async def _dump_one(connection: Connection, table: str, folder: Path) -> Dumped:
    """Write one table."""
    found = await (await connection.execute(_COLUMNS, (OPS, table))).fetchall()
    columns = tuple(str(row[0]) for row in found)
    query = sql.SQL("copy (select {columns} from {table} {where}) to stdout").format(
        columns=_names(columns), table=sql.Identifier(OPS, table), where=sql.SQL(_WHERE.get(table, ""))
    )
    path = folder / f"{table}.copy.gz"
    with _private(path) as file, gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as zipped:
        async with connection.cursor() as cursor:
            async with cursor.copy(query) as copy:
                async for chunk in copy:
                    zipped.write(chunk)
            rows = cursor.rowcount
    return Dumped(table, columns, rows, path.name)


@contextmanager
def _private(path: Path) -> Iterator[BinaryIO]:
    """Yield a new file that only we may read; it is on the disk when the context ends."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


async def _load_one(connection: Connection, one: Dumped, folder: Path) -> int:
    """Fill one table, and count what it holds then."""
    table = sql.Identifier(OPS, one.table)
    query = sql.SQL("copy {table} ({columns}) from stdin").format(table=table, columns=_names(one.columns))
    async with connection.cursor() as cursor, cursor.copy(query) as copy:
        with gzip.open(folder / one.file, "rb") as unzipped:
            while chunk := unzipped.read(2**20):
                await copy.write(chunk)
    row = await (await connection.execute(sql.SQL("select count(*) from {table}").format(table=table))).fetchone()
    return int(row[0]) if row else 0


async def _set_sequences(connection: Connection) -> None:
    """Let every identity go on above what was loaded."""
    for table, column in await (await connection.execute(_SEQUENCES, (OPS,))).fetchall():
        name = sql.Identifier(OPS, str(table))
        await connection.execute(
            sql.SQL(
                "select setval(pg_get_serial_sequence({text}, {column}), coalesce(max({name}), 0) + 1, false) from {table}"
            ).format(
                text=sql.Literal(f"{OPS}.{table}"),
                column=sql.Literal(column),
                name=sql.Identifier(str(column)),
                table=name,
            )
        )


def _names(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(column) for column in columns)
