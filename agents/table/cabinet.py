"""A cabinet: tables of one task in a database in memory that reaches nothing else; queries are bounded in rows, bytes and time.

The files are read by us, under names that we give; then the database is locked: no file, no network, no extension, no setting,
and no variable of this process can be reached by anything that a query says.
"""

import contextlib
import datetime
import decimal
import math
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from agents.table.column import Column, quoted, text
from agents.table.reading import TableRefused, Written, plain, written
from agents.table.statement import MOST_CHARS, checked

MEMORY = "512MB"
MOST_ROWS = 1_000
MOST_CELL = 2_000  # characters
MOST_ANSWER = 1_000_000  # characters of all cells
TIMEOUT_S = 5.0
_LOCKS = (
    "set enable_external_access = false",
    "set autoinstall_known_extensions = false",
    "set autoload_known_extensions = false",
    "set allow_community_extensions = false",
    "set python_enable_replacements = false",
    "set python_scan_all_frames = false",
    "set max_expression_depth = 250",
    "set lock_configuration = true",
)


class Answer(Struct, frozen=True):
    """What a query gave; `cut` says that there were more rows or longer cells than an answer may have."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    cut: bool


class Cabinet:
    """Tables, and queries over them."""

    def __init__(self, connection: Any, tables: Mapping[str, tuple[Column, ...]]) -> None:
        self._connection = connection
        self._views = frozenset(
            str(row[0]).lower() for row in connection.execute("select view_name from duckdb_views()").fetchall()
        )
        self.tables = tables

    def ask(self, sql: str, timeout_s: float = TIMEOUT_S) -> Answer:
        """Return what one SELECT gives.

        Raises:
            TableRefused: it is anything else, reaches for something else, or takes too much time or memory.
        """
        self.check(sql)
        with self._bounded(timeout_s):
            cursor = self._connection.execute(sql)
            names = tuple(str(column[0]) for column in cursor.description)
            return _answer(names, cursor.fetchmany(MOST_ROWS + 1))

    def check(self, sql: str) -> None:
        """Pass SQL that may run.

        Raises:
            TableRefused: it may not.
        """
        if len(sql) > MOST_CHARS or "\x00" in sql:
            raise TableRefused("no_query", f"a query has {MOST_CHARS} characters at most, none of them a null")
        with self._bounded(TIMEOUT_S):
            if len(self._connection.extract_statements(sql)) != 1:
                raise TableRefused("no_query", "there must be exactly one statement")
            # As a quoted text: binding a parameter makes DuckDB load pandas, which takes longer than most queries.
            parsed = self._connection.execute(f"select json_serialize_sql({text(sql)})").fetchone()[0]
        checked(parsed, frozenset(name.lower() for name in self.tables), self._views)

    def values(self, table: str, column: str, most: int) -> list[str]:
        """Return the values of a text column, the most frequent ones first; none where there are more than `most`."""
        name, source = quoted(column), quoted(table)
        counted = f"select {name}, count(*) from {source} where {name} is not null group by 1"  # noqa: S608  # quoted by us
        sql = f"{counted} order by 2 desc, 1 limit {most + 1}"
        with self._bounded(TIMEOUT_S):
            found = [str(row[0]) for row in self._connection.execute(sql).fetchall()]
        return found if len(found) <= most else []

    @contextlib.contextmanager
    def _bounded(self, timeout_s: float) -> Iterator[None]:
        """Interrupt what takes too long, and tell every error of the database by our own name."""
        import duckdb

        timer = threading.Timer(timeout_s, self._connection.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        except duckdb.InterruptException as error:
            raise TableRefused("too_slow", f"the query took more than {timeout_s:g} s") from error
        except duckdb.OutOfMemoryException as error:
            raise TableRefused("too_much", f"the query needs more than {MEMORY} of memory") from error
        except (duckdb.Error, RuntimeError, UnicodeError, OverflowError) as error:
            raise TableRefused("bad_query", str(error).splitlines()[0][:300]) from error
        finally:
            timer.cancel()


@contextlib.contextmanager
def opened(files: Mapping[str, bytes]) -> Iterator[Cabinet]:
    """Yield the tables of CSV files, by the names that they shall have.

    Raises:
        TableRefused: a file is no table.
    """
    import duckdb

    if not files:
        raise TableRefused("no_file", "there is no CSV file to ask")
    settings: dict[str, Any] = {"threads": "1", "memory_limit": MEMORY, "preserve_insertion_order": "true"}
    with tempfile.TemporaryDirectory(prefix="smolit-table-") as folder, duckdb.connect(":memory:", config=settings) as connection:
        connection.execute("set temp_directory = ''")  # nothing goes to the disk: what does not fit is refused
        tables = {name: _taken(connection, Path(folder), place, name, files[name]) for place, name in enumerate(files)}
        for lock in _LOCKS:
            connection.execute(lock)
        yield Cabinet(connection, tables)


def _taken(connection: Any, folder: Path, place: int, name: str, content: bytes) -> tuple[Column, ...]:
    """Take a file in as a table; return its columns."""
    import duckdb

    how = written(content)
    path = folder / f"{place}.csv"
    path.write_bytes(plain(content, how.encoding))
    try:
        connection.execute(f"create table {quoted(name)} as select * from {_source(path, how)}")  # noqa: S608  # quoted
    except duckdb.Error as error:
        raise TableRefused("no_table", f"{name} cannot be read as a table: {str(error).splitlines()[0][:200]}") from error
    finally:
        path.unlink()
    found = connection.execute(f"describe {quoted(name)}").fetchall()
    return tuple(Column(str(row[0]), str(row[1])) for row in found)


def _source(path: Path, how: Written) -> str:
    """Return the call that reads a file; only names that we made or quoted go in."""
    listed = ", ".join(text(name) for name in how.columns)
    decimal_sign = "," if how.comma else "."
    thousands = f"thousands = '{how.thousands}', " if how.thousands else ""
    return (
        f"read_csv({text(str(path))}, header = true, names = [{listed}], delim = {text(how.separator)}, quote = '\"', "
        f"escape = '\"', decimal_separator = '{decimal_sign}', {thousands}sample_size = 100000, "
        "max_line_size = 4194304)"
    )


def _answer(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Answer:
    """Return rows that JSON can hold, up to the limits."""
    kept: list[tuple[Any, ...]] = []
    cut, size = len(rows) > MOST_ROWS, 0
    for row in rows[:MOST_ROWS]:
        cells = tuple(_cell(cell) for cell in row)
        size += sum(len(cell) if isinstance(cell, str) else 8 for cell in cells)
        if size > MOST_ANSWER:
            return Answer(columns, tuple(kept), True)
        cut = cut or any(isinstance(cell, str) and len(cell) == MOST_CELL for cell in cells)
        kept.append(cells)
    return Answer(columns, tuple(kept), cut)


def _cell(value: Any) -> Any:
    """Return a value as JSON has it: what is not finite is null, and what is no number is text."""
    match value:
        case None | bool() | int():
            return value if value is None or -(2**63) <= value < 2**63 else str(value)
        case float():
            return value if math.isfinite(value) else None
        case decimal.Decimal():
            return float(value) if value % 1 or abs(value) >= 2**53 else int(value)
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case _:
            return str(value)[:MOST_CELL]
