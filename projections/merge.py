"""Bulk writes: a batch is merged in Python by the columns' rules, then into the table by the same rules, at once.

Tables are not qualified: the search path of the transaction says which generation is written.

One statement and one jsonb parameter a table and batch; measured against row by row in docs/decisions/011-projections.md.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql

from projections.column import Rule, rule_of
from store.postgres import Connection

Row = dict[str, Any]
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def micro(amount: float) -> int:
    """Return an amount in whole millionths, so that sums are exact in any order."""
    return round(amount * 1_000_000)


def told(fact: object, *names: str) -> Row:
    """Return fields of a fact that are columns of the same name."""
    return {name: getattr(fact, name) for name in names}


def bytea(content: bytes) -> str:
    """Return bytes as Postgres reads them out of JSON."""
    return "\\x" + content.hex()


def hour_of(moment: datetime) -> datetime:
    """Return the full hour in UTC that a moment lies in."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


class Merge:
    """How rows come together in one table: its statement and its rules, worked out once."""

    def __init__(self, table: Table) -> None:
        self._keys = [column.name for column in table.primary_key]
        self._rules = _rules(table)
        self._blank = {column.name: 0 if rule_of(column) == "summed" else None for column in table.columns}
        self._statement = _upsert(table)

    def combine(self, rows: Iterable[Row]) -> list[Row]:
        """Return one row per key, sorted by key: those of one key are merged, in order, by the columns' rules."""
        merged: dict[tuple[Any, ...], Row] = {}
        for row in rows:
            place = tuple([row[name] for name in self._keys])
            known = merged.get(place)
            if known is None:
                merged[place] = dict(row)
            else:
                _tell(known, row, self._rules)
        return [{**self._blank, **merged[place]} for place in sorted(merged)]

    async def write(self, connection: Connection, rows: Iterable[Row], returning: Sequence[str] = ()) -> list[tuple[Any, ...]]:
        """Merge rows into the table and return the named columns of the rows that were touched."""
        combined = self.combine(rows)
        if not combined:
            return []
        wanted = f"\nreturning {', '.join(returning)}" if returning else ""
        parameter = _ENCODER.encode(combined).decode()
        cursor = await connection.execute((self._statement + wanted).encode(), (parameter,))
        return list(await cursor.fetchall()) if returning else []


def typed(table: Table) -> str:
    """Return a table's columns with their types, as a record definition."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    types = {column.name: _told_as(column) or column.type.compile(dialect=dialect) for column in table.columns}
    return ", ".join(f"{name} {kind}" for name, kind in types.items())


def _told_as(column: Column[Any]) -> str | None:
    """Return another type where the column's own is an extension's, which a generation's search path does not find.

    Postgres casts it when it is assigned: casts are not looked up by the search path.
    """
    return "real[]" if isinstance(column.type, HALFVEC) else None


def _upsert(table: Table) -> str:
    """Return the statement that merges a jsonb array of rows into a table."""
    names = ", ".join(column.name for column in table.columns)
    keys = ", ".join(column.name for column in table.primary_key)
    rest = [column for column in table.columns if rule_of(column) != "key"]
    changes = ", ".join(f"{column.name} = {_sql(column)}" for column in rest)
    return (
        f"insert into {table.name} as known ({names})\n"
        f"select {names} from jsonb_to_recordset(%s::jsonb) as told ({typed(table)})\n"
        f"on conflict ({keys}) do update set {changes}"
    )


def _sql(column: Column[Any]) -> str:
    """Return the merge of a stored and a new value in SQL; `least` and `greatest` pass over nulls."""
    name = column.name
    match rule_of(column):
        case "summed":
            return f"known.{name} + excluded.{name}"
        case "earliest":
            return f"least(known.{name}, excluded.{name})"
        case "highest":
            return f"greatest(known.{name}, excluded.{name})"
        case "latest":
            by = column.info["by"]
            newer = f"excluded.{by} >= coalesce(known.{by}, excluded.{by})"
            return f"case when {newer} then excluded.{name} else known.{name} end"
        case _:
            return f"coalesce(known.{name}, excluded.{name})"


def _rules(table: Table) -> list[tuple[str, Rule, str]]:
    """Return name, rule and position of each column; `latest` first, before the position that it goes by moves."""
    rules = [(column.name, rule_of(column), column.info.get("by", "")) for column in table.columns]
    return sorted((rule for rule in rules if rule[1] != "key"), key=lambda rule: rule[1] != "latest")


def _tell(known: Row, row: Row, rules: Sequence[tuple[str, Rule, str]]) -> None:
    """Merge a row into the known one of its key, as `_sql` does it in the database."""
    for name, rule, by in rules:
        if name in row:
            known[name] = _value(rule, known.get(name), row[name], known.get(by), row.get(by))


def _value(rule: Rule, old: Any, new: Any, old_place: Any, new_place: Any) -> Any:
    """Return the merge of a known and a told value."""
    match rule:
        case "latest":
            return new if old_place is None or (new_place is not None and new_place >= old_place) else old
        case "once":
            return new if old is None else old
        case _ if old is None or new is None:
            return new if old is None else old
        case "summed":
            return old + new
        case "earliest":
            return min(old, new)
        case _:
            return max(old, new)
