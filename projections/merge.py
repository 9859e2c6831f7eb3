"""Bulk writes: a batch is merged in Python by the columns' rules, then into the table by the same rules, at once.

Tables are not qualified: the search path of the transaction says which generation is written.

One statement a table and batch, measured against row by row in docs/decisions/011-projections.md. Plain columns go as one jsonb
parameter, long ones (bytes, JSON, vectors) as a binary array each, which nobody has to write out or parse twice.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from operator import attrgetter, itemgetter
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import Column, LargeBinary, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB

from projections.column import Rule, rule_of
from projections.statement import Statement
from store.packed import Packed, byteas, jsonbs, reals

Row = dict[str, Any]
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def micro(amount: float) -> int:
    """Return an amount in whole millionths, so that sums are exact in any order."""
    return round(amount * 1_000_000)


def told(fact: object, *names: str) -> Row:
    """Return fields of a fact that are columns of the same name."""
    return dict(zip(names, _fields(names)(fact), strict=True))


@cache
def _fields(names: tuple[str, ...]) -> Callable[[object], tuple[Any, ...]]:
    """Return what reads these fields at once."""
    if len(names) == 1:
        return lambda fact: (getattr(fact, names[0]),)
    return attrgetter(*names)


def jsonb(rows: Iterable[Row]) -> str:
    """Return rows as one jsonb parameter."""
    return _ENCODER.encode(rows if isinstance(rows, list) else list(rows)).decode()


def hour_of(moment: datetime) -> datetime:
    """Return the full hour in UTC that a moment lies in."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


class Merge:
    """How rows come together in one table: its statement and its rules, worked out once.

    `blanked`: columns that are forgotten for good as soon as another one is there.
    """

    def __init__(self, table: Table, blanked: Mapping[str, str] = MappingProxyType({})) -> None:
        self._place = itemgetter(*[column.name for column in table.primary_key])
        self._rules = {column.name: rule_of(column) for column in table.columns}
        self._followers = [(column.name, column.info["by"]) for column in table.columns if rule_of(column) == "latest"]
        self._zeros = {name: 0 for name, rule in self._rules.items() if rule == "summed"}
        self._blank = dict.fromkeys(self._rules)
        self._blanked = blanked
        self._arrays = [column for column in table.columns if isinstance(column.type, LargeBinary | JSONB)]
        self._vectors = [column for column in table.columns if isinstance(column.type, HALFVEC)]
        self._statement = _upsert(table, self._arrays, blanked).encode()

    def combine(self, rows: Iterable[Row]) -> list[Row]:
        """Return one whole row per key, sorted by key: those of one key are merged, in order, by the columns' rules."""
        return [{**self._blank, **row} for row in self._merged(rows)]

    def plan(self, rows: Iterable[Row]) -> list[Statement]:
        """Return what merges rows into the table; nothing if there are none."""
        combined = self._merged(rows)
        if not combined:
            return []
        arrays = [_array(column, [row.pop(column.name, None) for row in combined]) for column in self._arrays]
        vectors = [_vectors(column.name, combined) for column in self._vectors]
        return [Statement(self._statement, (*vectors, jsonb(combined), *arrays))]

    def _merged(self, rows: Iterable[Row]) -> list[Row]:
        """Return one row per key, without what nobody said; a sum to which nobody added is zero."""
        merged: dict[tuple[Any, ...], Row] = {}
        for row in rows:
            place = self._place(row)
            known = merged.get(place)
            if known is None:
                merged[place] = {**self._zeros, **row}
            else:
                _tell(known, row, self._rules, self._followers)
        for name, unless in self._blanked.items():
            for row in merged.values():
                if row.get(unless) is not None:
                    row[name] = None
        return [merged[place] for place in sorted(merged)]


def typed(columns: Iterable[Column[Any]]) -> str:
    """Return columns with their types, as a record definition; of a vector the place among those that are sent."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return ", ".join(
        f"{one.name} {'int' if isinstance(one.type, HALFVEC) else one.type.compile(dialect=dialect)}" for one in columns
    )


def _array(column: Column[Any], values: Sequence[Any]) -> Packed:
    """Return the values of a long column; `None` is null, also where JSON could say it."""
    if isinstance(column.type, LargeBinary):
        return byteas(values)
    return jsonbs([None if value is None else _ENCODER.encode(value) for value in values])


def _vectors(name: str, rows: Sequence[Row]) -> Packed:
    """Return all vectors of a column one after the other, and leave in each row the place of its own."""
    sent: list[bytes] = []
    for row in rows:
        if row.get(name) is not None:
            sent.append(row[name])
            row[name] = len(sent) - 1
    return reals(np.frombuffer(b"".join(sent), "<f2"))


def _upsert(table: Table, arrays: Sequence[Column[Any]], blanked: Mapping[str, str]) -> str:
    """Return the statement that merges vectors, a jsonb array of rows and the arrays of their long columns into a table."""
    names = ", ".join(column.name for column in table.columns)
    keys = ", ".join(column.name for column in table.primary_key)
    rest = [column for column in table.columns if rule_of(column) != "key"]
    changes = ", ".join(f"{column.name} = {_blanked(_sql(column), blanked.get(column.name))}" for column in rest)
    return (
        f"insert into {table.name} as known ({names})\n"
        f"select {_values(table)} from {_source(table, arrays)}\n"
        f"on conflict ({keys}) do update set {changes}"
    )


def _values(table: Table) -> str:
    """Return what is inserted: columns as they were told, of a vector its slice of all numbers.

    Numbers, not the extension's type, which a generation's search path does not find: Postgres casts them when they are assigned.
    """
    slices = {one.name: _slice(one.name, one.type.dim) for one in table.columns if isinstance(one.type, HALFVEC)}
    return ", ".join(slices.get(column.name, column.name) for column in table.columns)


def _slice(place: str, width: Any) -> str:
    """Return the numbers of the vector at a place; none at no place."""
    return f"(%s::real[])[{place} * {width} + 1 : ({place} + 1) * {width}]"


def _source(table: Table, arrays: Sequence[Column[Any]]) -> str:
    """Return the relation of the rows that are told: plain columns out of JSON, beside each long one out of its array."""
    long = [column.name for column in arrays]
    plain = [column for column in table.columns if column.name not in long]
    if not arrays:
        return f"jsonb_to_recordset(%s::jsonb) as told ({typed(plain)})"
    kinds = ["bytea" if isinstance(column.type, LargeBinary) else "jsonb" for column in arrays]
    unnested = ", ".join(f"unnest(%s::{kind}[])" for kind in kinds)
    names = ", ".join([*(column.name for column in plain), *long])
    return f"rows from (jsonb_to_recordset(%s::jsonb) as ({typed(plain)}), {unnested}) as told ({names})"


def _blanked(merged: str, unless: str | None) -> str:
    """Return the merge of a column that is forgotten as soon as another one is there."""
    return merged if unless is None else f"case when coalesce(known.{unless}, excluded.{unless}) is null then {merged} end"


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


def _tell(known: Row, row: Row, rules: Mapping[str, Rule], followers: Sequence[tuple[str, str]]) -> None:
    """Merge a row into the known one of its key, as `_sql` does it in the database; null changes nothing but what follows."""
    for name, by in followers:  # before the position that they go by moves
        if name in row and _is_newer(known.get(by), row.get(by)):
            known[name] = row[name]
    for name, new in row.items():
        if new is not None and (rule := rules[name]) not in ("key", "latest"):
            old = known.get(name)
            known[name] = new if old is None else _value(rule, old, new)


def _is_newer(old_place: Any, new_place: Any) -> bool:
    return old_place is None or (new_place is not None and new_place >= old_place)


def _value(rule: Rule, old: Any, new: Any) -> Any:
    """Return the merge of a known and a told value, neither of them null."""
    match rule:
        case "once":
            return old
        case "summed":
            return old + new
        case "earliest":
            return min(old, new)
        case _:
            return max(old, new)
