"""From the parts of a question to SQL over one table; names and values are quoted."""

from collections.abc import Sequence

from msgspec import Struct

from agents.table.column import quoted
from agents.table.marked import Sheet, not_understood

_NUMBERS = ("BIGINT", "DOUBLE", "DECIMAL", "INTEGER", "HUGEINT", "FLOAT")


class Parts(Struct, frozen=True):
    """What a question asks for: aggregates, columns to group by, columns that are measured, conditions in SQL.

    `limit`: so many of the first; `which`: it asks who has the most or the least.
    """

    aggregates: tuple[str, ...]
    groups: tuple[str, ...]
    measured: tuple[str, ...]
    where: tuple[str, ...]
    limit: int | None
    which: bool


def query_of(parts: Parts, sheet: Sheet) -> str:
    """Return the SELECT that the parts make.

    Raises:
        TableRefused: `not_understood`, with what they do not say.
    """
    source = quoted(sheet.name) + (f" where {' and '.join(parts.where)}" if parts.where else "")
    if parts.which or parts.limit is not None:
        return _ranked(source, parts, sheet)
    if not parts.aggregates:
        if parts.groups or not (parts.measured or parts.where):
            raise not_understood("it does not say what to compute")
        listed = ", ".join(map(quoted, parts.measured)) or "*"
        return f"select {listed} from {source}"  # noqa: S608  # names are quoted, values too
    if len(parts.aggregates) > 1:
        raise not_understood(f"it asks for {' and '.join(parts.aggregates)} at once")
    value = _value(parts.aggregates[0], parts.measured, sheet)
    if not parts.groups:
        return f"select {value} as value from {source}"  # noqa: S608
    named = ", ".join(map(quoted, parts.groups))
    return f"select {named}, {value} as value from {source} group by {named} order by {named}"  # noqa: S608


def _ranked(source: str, parts: Parts, sheet: Sheet) -> str:
    """Return the SELECT of a "top N" or a "which has the most"."""
    order = "asc" if "min" in parts.aggregates else "desc"
    inner = [one for one in parts.aggregates if one not in ("max", "min")]
    if len(inner) > 1 or len(parts.groups) != 1:
        raise not_understood("it does not say what to rank by what")
    if not inner and not parts.measured and "max" in parts.aggregates and parts.limit is None:
        inner = ["count"]  # "which region has the most rows"
    if not inner and len(parts.measured) != 1:
        raise not_understood("it does not say what to rank by")
    value = _value(inner[0] if inner else ("min" if order == "asc" else "max"), parts.measured, sheet)
    name, most = quoted(parts.groups[0]), parts.limit or 1
    return f"select {name}, {value} as value from {source} group by {name} order by value {order}, {name} limit {most}"  # noqa: S608


def _value(aggregate: str, measured: Sequence[str], sheet: Sheet) -> str:
    """Return the aggregate of the one column that is measured."""
    if aggregate == "count":
        if measured:
            raise not_understood(f"how many rows have a {measured[0]}, or how many different ones there are, is not said")
        return "count(*)"
    if len(measured) != 1:
        raise not_understood("it names no column to compute with" if not measured else "it names several columns to compute with")
    kind = next(column.type for column in sheet.columns if column.name == measured[0])
    if aggregate == "count_distinct":
        return f"count(distinct {quoted(measured[0])})"
    if aggregate in ("avg", "sum", "median") and not kind.startswith(_NUMBERS):
        raise not_understood(f"{measured[0]} holds no numbers")
    return f"{aggregate}({quoted(measured[0])})"
