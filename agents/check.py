"""Checks: whether what a step brought can be true at all. Named, with parameters, pure.

Each takes `field`, the place of what it looks at, as in `total` or `lines.0.date`; empty: the whole output. A check that
fails says so in a sentence, and the attempt has no result: another agent is asked.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any, NamedTuple, cast

from msgspec import Meta, Struct

from agents.day import day_of
from agents.errors import AgentFailed
from agents.schema import as_json, faults_of, misfit

REASON = "implausible_output"
_MISSING = object()
_NUMBER = re.compile(r"[-+]?\d{1,18}(\.\d{1,18})?")


class About(NamedTuple):
    """What a check may look at beside the value: until when the task is to be done."""

    deadline: datetime


class NotEmpty(Struct, frozen=True, forbid_unknown_fields=True):
    """There is something: of a text `least` characters that are no blanks, a share `letters` of them letters or digits."""

    field: str = ""
    least: Annotated[int, Meta(ge=1)] = 1
    letters: Annotated[float, Meta(ge=0, le=1)] = 0.0


class PlausibleDate(Struct, frozen=True, forbid_unknown_fields=True):
    """A date that exists, not before `first`, and not more than `ahead_days` after the task's deadline."""

    field: str = ""
    first: date = date(1900, 1, 1)
    ahead_days: Annotated[int, Meta(ge=0, le=36_500)] = 0


class OneOf(Struct, frozen=True, forbid_unknown_fields=True):
    """One of these values, and of their type: 1 is not true."""

    values: tuple[str | int | float | bool | None, ...]
    field: str = ""


class Range(Struct, frozen=True, forbid_unknown_fields=True):
    """A number, or a text that is one, from `least` to `most`; infinities and NaN are none."""

    field: str = ""
    least: float = -math.inf
    most: float = math.inf


class MinConfidence(Struct, frozen=True, forbid_unknown_fields=True):
    """A confidence between 0 and 1 that is at least this high; one that is not said is too low."""

    least: Annotated[float, Meta(gt=0, le=1)]
    field: str = "confidence"


class Fits(Struct, frozen=True, forbid_unknown_fields=True):
    """It fits a JSON Schema (draft 2020-12)."""

    schema: dict[str, Any]
    field: str = ""

    def __post_init__(self) -> None:
        """Refuse a schema that is none."""
        if wrong := faults_of(self.schema):
            raise ValueError(f"the schema is none: {wrong[0].path or '$'}: {wrong[0].what}")


class Matches(Struct, frozen=True, forbid_unknown_fields=True):
    """A text that is of this form as a whole: a regular expression."""

    pattern: Annotated[str, Meta(min_length=1, max_length=200)]
    field: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no regular expression."""
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"the pattern is none: {error}") from error


class Checks(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One entry of a list of checks: exactly one name with its parameters."""

    not_empty: NotEmpty | None = None
    plausible_date: PlausibleDate | None = None
    one_of: OneOf | None = None
    range: Range | None = None
    min_confidence: MinConfidence | None = None
    schema: Fits | None = None
    matches: Matches | None = None

    def __post_init__(self) -> None:
        """Refuse none, and two in one."""
        if len(_given(self)) != 1:
            raise ValueError(f"a check has one name; there are {', '.join(Checks.__struct_fields__)}")


Check = NotEmpty | PlausibleDate | OneOf | Range | MinConfidence | Fits | Matches


def refuse_implausible(output: Any, checks: tuple[Checks, ...], about: About) -> None:
    """Let an output pass, or say what is wrong with it.

    Raises:
        AgentFailed: with the reason `implausible_output`, and the check and the field that it failed at.
    """
    for one in checks:
        for name, check in _given(one):
            why = fault(output, check, about)
            if why is not None:
                raise AgentFailed(REASON, f"{name}: {check.field or 'the output'} {why}")


def fault(output: Any, check: Check, about: About) -> str | None:
    """Return what is wrong with an output by one check, or None."""
    value = _at(output, check.field)
    if value is _MISSING:
        return "is not there"
    judge = cast(Callable[[Any, Any, About], str | None], _JUDGES[type(check)])
    return judge(value, check, about)


def _given(checks: Checks) -> list[tuple[str, Check]]:
    """Return the check that is there, with its name."""
    return [(name, found) for name in Checks.__struct_fields__ if (found := getattr(checks, name)) is not None]


def _at(output: Any, field: str) -> Any:
    """Return what lies at a place, as JSON would have it."""
    try:
        value = as_json(output)
    except (TypeError, ValueError, RecursionError):
        return _MISSING
    for part in field.split(".") if field else ():
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return _MISSING
    return value


def _not_empty(value: Any, check: NotEmpty, _about: About) -> str | None:
    if isinstance(value, str):
        seen = [char for char in value if not char.isspace()]
        if len(seen) < check.least:
            return f"has {len(seen)} characters, and at least {check.least} are wanted"
        if sum(char.isalnum() for char in seen) < check.letters * len(seen):
            return "has fewer letters and digits than a text has"
        return None
    if isinstance(value, list | dict):
        return None if len(value) >= check.least else f"has {len(value)} entries, and at least {check.least} are wanted"
    return "is not there" if value is None else None


def _plausible_date(value: Any, check: PlausibleDate, about: About) -> str | None:
    found = day_of(value) if isinstance(value, str) else None
    if found is None:
        return "is no date that exists"
    last = about.deadline.date() + timedelta(days=check.ahead_days)
    if not check.first <= found <= last:
        return f"is {found.isoformat()}, which does not lie between {check.first.isoformat()} and {last.isoformat()}"
    return None


def _one_of(value: Any, check: OneOf, _about: About) -> str | None:
    known = any(type(value) is type(one) and value == one for one in check.values)
    return None if known else "is none of the values that it may be"


def _range(value: Any, check: Range, _about: About) -> str | None:
    number = _number(value)
    if number is None:
        return "is no number"
    return None if check.least <= number <= check.most else f"is {number:g}, which is not from {check.least:g} to {check.most:g}"


def _min_confidence(value: Any, check: MinConfidence, _about: About) -> str | None:
    number = None if isinstance(value, str) else _number(value)
    if number is None or not 0.0 <= number <= 1.0:
        return "is no confidence from 0 to 1"
    return None if number >= check.least else f"is {number:g}, and at least {check.least:g} is wanted"


def _number(value: Any) -> float | None:
    """Return a finite number, or None."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _fits(value: Any, check: Fits, _about: About) -> str | None:
    found = misfit(check.schema, value)
    return None if found is None else f"does not fit its schema: {found}"


def _matches(value: Any, check: Matches, _about: About) -> str | None:
    whole = isinstance(value, str) and len(value) <= _MOST_MATCHED and re.fullmatch(check.pattern, value)
    return None if whole else "is not of the form that is wanted"


_MOST_MATCHED = 2_000  # characters: a pattern can take a time that grows fast with the text
_JUDGES: Mapping[type[Struct], Callable[..., str | None]] = {
    NotEmpty: _not_empty,
    PlausibleDate: _plausible_date,
    OneOf: _one_of,
    Range: _range,
    MinConfidence: _min_confidence,
    Fits: _fits,
    Matches: _matches,
}
