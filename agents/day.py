"""Days in texts, in the forms that documents have, English and German: the one place where they are read. Pure.

A year of two digits says too little. Of 03/04/2024 the first number is the month if it can be.
"""

import re
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

_NAMES = (
    *("jan january januar", "feb february februar", "mar march märz", "apr april", "may mai", "jun june juni"),
    *("jul july juli", "aug august", "sep sept september", "oct october okt oktober", "nov november"),
    "dec december dez dezember",
)
MONTHS = {name: number for number, names in enumerate(_NAMES, 1) for name in names.split()}
_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_FORMS = (
    re.compile(r"(?<![\w-])(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})(?![\d-])(?=[\WT]|$)"),
    re.compile(r"(?<![\w.])(?P<d>\d{1,2})\.\s?(?P<m>\d{1,2})\.\s?(?P<y>\d{4})(?!\w)"),
    re.compile(r"(?<![\w/])(?P<a>\d{1,2})/(?P<b>\d{1,2})/(?P<y>\d{4})(?![\w/])"),
    re.compile(
        rf"(?<!\w)(?P<d>\d{{1,2}})(?:st|nd|rd|th|\.)?\s?(?:of\s)?(?P<name>{_MONTH})\.?,?\s?(?P<y>\d{{4}})(?!\w)", re.IGNORECASE
    ),
    re.compile(rf"(?<!\w)(?P<name>{_MONTH})\.?\s?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,?\s?(?P<y>\d{{4}})(?!\w)", re.IGNORECASE),
)
_TIME = re.compile(r"[T ].*|", re.DOTALL)


class Day(NamedTuple):
    """A day as it stands in a text, from `start` to `end`."""

    start: int
    end: int
    day: date


def days_in(text: str) -> list[Day]:
    """Return the days in a text, in its order; those that no calendar has are passed over."""
    found = [Day(*one.span(), meant) for one in _matches(text) if (meant := _meant(one))]
    return sorted(found)


def day_of(text: str) -> date | None:
    """Return the day that a text as a whole is; a time of day may stand behind it."""
    for one in days_in(text.strip()):
        if one.start == 0 and _TIME.fullmatch(text.strip()[one.end :]):
            return one.day
    return None


def without_days(text: str) -> str:
    """Return a text with a blank for everything of the form of a day, whether the calendar has it or not."""
    for form in _FORMS:
        text = form.sub(" ", text)
    return text


def _matches(text: str) -> Iterator[re.Match[str]]:
    return (one for form in _FORMS for one in form.finditer(text))


def _meant(match: re.Match[str]) -> date | None:
    """Return the day that a match means; None: the calendar has none such."""
    parts = match.groupdict()
    year = int(parts["y"])
    if "a" in parts:
        first, second = int(parts["a"]), int(parts["b"])
        return _day(year, first, second) or _day(year, second, first)
    month = MONTHS[parts["name"].lower()] if "name" in parts else int(parts["m"])
    return _day(year, month, int(parts["d"]))


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
