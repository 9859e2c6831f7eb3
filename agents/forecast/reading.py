"""Find a series in a CSV file: a column of dates, if there is one, and a column of numbers."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from agents.forecast.series import MOST, SeriesRefused, moment_of
from agents.table.reading import TableRefused, plain, pointed, written

_LOOK = 20  # rows


def columns_of(content: bytes) -> dict[str, list[str]]:
    """Return the cells of each column of a CSV file, numbers with a decimal point.

    Raises:
        SeriesRefused: it is no table, or a row has more or fewer cells than the first.
    """
    try:
        how = written(content)
        rows = list(csv.reader(io.StringIO(plain(content, how.encoding).decode("utf-8")), delimiter=how.separator))
    except (TableRefused, csv.Error) as error:
        raise SeriesRefused("no_table", str(error)) from error
    rows = [row for row in rows[1:] if row]
    if len(rows) > 10 * MOST:
        raise SeriesRefused("too_long", f"the file has more than {10 * MOST} rows")
    odd = next((place for place, row in enumerate(rows, start=2) if len(row) != len(how.columns)), None)
    if odd is not None:
        raise SeriesRefused("no_table", f"line {odd} has another number of cells than the first line")
    cells = {name: [row[place].strip() for row in rows] for place, name in enumerate(how.columns)}
    return {name: [pointed(cell, how) for cell in column] for name, column in cells.items()}


def number(cell: str) -> float | None:
    """Return a number, or None for a cell that holds none."""
    try:
        return float(cell) if cell.lower() not in ("nan", "inf", "-inf", "infinity", "-infinity") else None
    except ValueError:
        return None


def series_in(
    columns: Mapping[str, list[str]], value: str | None, date: str | None
) -> tuple[list[float | None], list[str] | None]:
    """Return the values and the dates of the columns that are named, or of the only ones that fit.

    Raises:
        SeriesRefused: a named column is not there, or it is not clear which one is meant.
    """
    for name in (value, date):
        if name is not None and name not in columns:
            raise SeriesRefused("no_column", f"there is no column {name[:60]!r}; there are {', '.join(columns)[:200]}")
    dates = date or next((name for name, cells in columns.items() if name != value and _dated(cells)), None)
    fitting = [value] if value else [name for name, cells in columns.items() if name != dates and _numeric(cells)]
    if len(fitting) != 1:
        told = "no column holds numbers" if not fitting else f"several columns hold numbers ({', '.join(fitting)[:200]})"
        raise SeriesRefused("no_column", f"{told}; name one in input.value")
    return [number(cell) for cell in columns[fitting[0]]], columns[dates] if dates else None


def _numeric(cells: list[str]) -> bool:
    """Say whether a column starts with numbers; a gap is no text."""
    return bool(cells) and all(number(cell) is not None or not cell for cell in cells[:_LOOK])


def _dated(cells: list[str]) -> bool:
    """Say whether a column starts with dates."""
    return bool(cells) and all(_is_date(cell) for cell in cells[:_LOOK])


def _is_date(cell: str) -> bool:
    """Say whether a cell is a date in ISO 8601, or a plausible year."""
    try:
        return 1500 <= moment_of(cell).year <= 2200
    except SeriesRefused:
        return False


def settings_of(given: Mapping[str, Any], name: str) -> str | None:
    """Return a setting that must be a text, if it is there."""
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise SeriesRefused("bad_input", f"input.{name} must be the name of a column")
    return value
