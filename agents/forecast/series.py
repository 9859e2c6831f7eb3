"""A series: numbers at equal distances of time, with or without dates. What is no such series is refused, with the reason.

Pure: nothing is filled in, dropped or smoothed.
"""

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from msgspec import Struct

LEAST = 24  # values: fewer leave no past to test a method on
MOST = 20_000
_DAYS = {"hourly": 1 / 24, "daily": 1.0, "weekly": 7.0}
_MONTHS = {"monthly": 1, "quarterly": 3, "yearly": 12}
_SEASONS = {"hourly": 24, "daily": 7, "weekly": 52, "monthly": 12, "quarterly": 4, "yearly": 1}


class SeriesRefused(Exception):
    """This is no series that can be continued: `code` names why, the message says it in a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Series(Struct, frozen=True):
    """Values, oldest first; `step` is their distance (None: not known), `season` how many steps make a cycle (1: none)."""

    values: tuple[float, ...]
    season: int
    step: str | None = None
    dates: tuple[datetime, ...] = ()


def series_of(values: Any, dates: Any = None, season: Any = None) -> Series:
    """Return a series of values and, where they have them, dates in ISO 8601.

    `season` None: what the distance of the dates suggests (12 for months), else none.

    Raises:
        SeriesRefused: something is missing, out of order, repeated, too short, or always the same.
    """
    plain = _values(values)
    moments = _moments(dates, len(plain))
    step = distance(moments) if moments else None
    cycle = season if season is not None else _SEASONS[step] if step else 1
    if isinstance(cycle, bool) or not isinstance(cycle, int) or not 1 <= cycle <= MOST:
        raise SeriesRefused("bad_season", "season must be a whole number of steps, 1 for none")
    if season is not None and len(plain) < 3 * cycle:
        raise SeriesRefused("too_short", f"a season of {cycle} needs at least {3 * cycle} values; there are {len(plain)}")
    return Series(tuple(plain), cycle if len(plain) >= 3 * cycle else 1, step, tuple(moments))


def _values(values: Any) -> list[float]:
    """Return the values as numbers."""
    if not isinstance(values, Sequence) or isinstance(values, str | bytes):
        raise SeriesRefused("no_series", "values must be a list of numbers, oldest first")
    if len(values) > MOST:
        raise SeriesRefused("too_long", f"a series may have {MOST} values; there are {len(values)}")
    missing = [place for place, value in enumerate(values) if not _is_number(value)]
    if missing:
        raise SeriesRefused("gaps", f"value {missing[0] + 1} of {len(values)} is missing or no number, and none is made up")
    if len(values) < LEAST:
        raise SeriesRefused("too_short", f"a forecast needs at least {LEAST} values; there are {len(values)}")
    plain = [float(value) for value in values]
    if min(plain) == max(plain):
        raise SeriesRefused("constant", f"all {len(plain)} values are {plain[0]:g}, so there is nothing to learn from")
    if max(map(abs, plain)) > 1e100:
        raise SeriesRefused("too_big", "values must lie between -1e100 and 1e100")
    return plain


def _is_number(value: Any) -> bool:
    """Say whether this is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -1e300 < value < 1e300 and not math.isnan(value)


def _moments(dates: Any, count: int) -> list[datetime]:
    """Return dates as moments, in order."""
    if dates is None or len(dates) == 0:
        return []
    if len(dates) != count:
        raise SeriesRefused("no_series", f"there are {count} values and {len(dates)} dates")
    moments = [moment_of(date) for date in dates]
    if any(moment.tzinfo is None for moment in moments) and any(moment.tzinfo is not None for moment in moments):
        raise SeriesRefused("bad_date", "either all dates have a time zone or none has")
    for place, (before, after) in enumerate(pairwise(moments)):
        if before == after:
            raise SeriesRefused("repeated", f"{dates[place]} is there twice")
        if before > after:
            raise SeriesRefused("out_of_order", f"{dates[place + 1]} comes after {dates[place]}; the oldest must come first")
    return moments


def moment_of(date: Any) -> datetime:
    """Return a date such as 2024, 2024-03, 2024-03-31 or 2024-03-31T12:00 as a moment."""
    written = str(date).strip()
    padded = {4: f"{written}-01-01", 7: f"{written}-01"}.get(len(written), written)
    try:
        return datetime.fromisoformat(padded)
    except ValueError as error:
        raise SeriesRefused("bad_date", f"{written[:40]!r} is no date; write it as 2024-03-31") from error


def distance(moments: Sequence[datetime]) -> str:
    """Return the one distance of all moments.

    Raises:
        SeriesRefused: `gaps`, with the place; or no known distance.
    """
    found = Counter(_step(before, after) for before, after in pairwise(moments))
    usual, _ = found.most_common(1)[0]
    if usual is None:
        raise SeriesRefused("gaps", "the dates are not at equal distances (hours, days, weeks, months, quarters, years)")
    for before, after in pairwise(moments):
        if _step(before, after) != usual:
            raise SeriesRefused("gaps", f"the dates are {usual}, but {after.date()} follows {before.date()}")
    return usual


def _step(before: datetime, after: datetime) -> str | None:
    """Return the name of the distance of two moments."""
    months = (after.year - before.year) * 12 + after.month - before.month
    ends = after.day == before.day or min(before.day, after.day) >= 28
    named = next((name for name, count in _MONTHS.items() if ends and months == count), None)
    days = (after - before).total_seconds() / 86_400
    return named or next((name for name, length in _DAYS.items() if days == length), None)
