"""Numbers that may go in and come out: finite ones, so many, and nothing else."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

MOST_NUMBERS = 100_000


class FinanceRefused(Exception):
    """There is no answer: `code` names why, the message says it in a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def number(value: Any, what: str, least: float = -math.inf, most: float = math.inf) -> float:
    """Return a finite number in [least, most].

    Raises:
        FinanceRefused: `bad_argument`.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FinanceRefused("bad_argument", f"{what} must be a number")
    try:
        plain = float(value)
    except OverflowError as error:
        raise FinanceRefused("bad_argument", f"{what} is too big") from error
    if not math.isfinite(plain):
        raise FinanceRefused("bad_argument", f"{what} must be finite")
    if not least <= plain <= most:
        raise FinanceRefused("bad_argument", f"{what} must be {bounds(least, most)}")
    return plain


def bounds(least: float, most: float) -> str:
    """Return the words for an interval of which one end is finite."""
    if math.isinf(most):
        return f"at least {least:g}"
    return f"at most {most:g}" if math.isinf(least) else f"between {least:g} and {most:g}"


def whole(value: Any, what: str, least: int, most: int) -> int:
    """Return a whole number in [least, most].

    Raises:
        FinanceRefused: `bad_argument`.
    """
    plain = number(value, what, least, most)
    if plain != int(plain):
        raise FinanceRefused("bad_argument", f"{what} must be a whole number")
    return int(plain)


def numbers(values: Any, what: str, least: int = 1) -> list[float]:
    """Return at least so many finite numbers.

    Raises:
        FinanceRefused: `bad_argument`, or `too_few`.
    """
    if not isinstance(values, Sequence) or isinstance(values, str | bytes):
        raise FinanceRefused("bad_argument", f"{what} must be a list of numbers")
    if len(values) > MOST_NUMBERS:
        raise FinanceRefused("bad_argument", f"{what} has more than {MOST_NUMBERS} numbers")
    if len(values) < least:
        raise FinanceRefused("too_few", f"{what} needs at least {least} numbers and has {len(values)}")
    return [number(value, f"{what}[{place}]") for place, value in enumerate(values)]


def finite(value: float, what: str) -> float:
    """Return a result if it is a finite number.

    Raises:
        FinanceRefused: `too_big`.
    """
    if not math.isfinite(value):
        raise FinanceRefused("too_big", f"{what} is too big for a number")
    return value


def total(values: Iterable[float], what: str) -> float:
    """Return a sum, rounded once.

    Raises:
        FinanceRefused: `too_big`.
    """
    try:
        return finite(math.fsum(values), what)
    except (OverflowError, ValueError) as error:  # on the way, or an infinity less another
        raise FinanceRefused("too_big", f"{what} is too big for a number") from error
