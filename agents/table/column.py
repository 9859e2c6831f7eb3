"""Columns of a table, and names and texts as SQL writes them."""

from msgspec import Struct


class Column(Struct, frozen=True):
    """One column, as DuckDB understood it."""

    name: str
    type: str


def quoted(name: str) -> str:
    """Return a name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Return a text as SQL."""
    return "'" + value.replace("'", "''") + "'"
