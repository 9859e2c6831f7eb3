"""Claims in an answer, brought into one form so that two can be compared: numbers, dates, yes or no, labels, fields. Pure."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from agents.day import MONTHS, days_in, without_days

_UNIT = r"%|percent\b|per cent\b|prozent\b|k\b|thousand\b|million\b|billion\b"
_NUMBER = re.compile(rf"(?<![\w.])[-+]?(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?(?:e[-+]?\d+)?\s*(?:{_UNIT})?", re.IGNORECASE)
_SCALE = {
    "%": 0.01,
    "percent": 0.01,
    "per cent": 0.01,
    "prozent": 0.01,
    "k": 1e3,
    "thousand": 1e3,
    "million": 1e6,
    "billion": 1e9,
}
_NAMED = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_COUNTS = {word: str(number) for number, word in enumerate(_NAMED)}
_COUNT = re.compile(rf"\b({'|'.join(_COUNTS)})\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+(?:'[a-z]+)?")
_YES = frozenset({"yes", "true", "correct", "ja", "right", "positive"})
_NO = frozenset({"no", "false", "incorrect", "nein", "wrong", "negative"})
_NOT = frozenset({"not", "never", "no", "cannot", "nobody", "none", "without", "nicht", "kein", "keine"})
_SMALL = frozenset(
    """a an the is are was were be been of in on at to for and or it its this that with by as from has have had will would about
    der die das ist ein eine und oder zu im am von mit sehr answer total value result amount roughly exactly""".split()  # noqa: SIM905
)
# Beside the answer these say how sure or how costly it was, or what it leans on; they are no claims.
_ASIDE = frozenset(
    {"confidence", "score", "scores", "model", "steps", "cost", "cost_microusd", "duration", "duration_us", "citations", "chunks"}
    | {"sources", "evidence", "passages", "explanation", "expression", "probability", "probabilities", "compound", "tokens"}
)
_LIKE = 0.5  # share of words in common from which two sentences are about one thing
_NEAR = 1e-3  # two numbers that are nearer are one, rounded


def contradictions(one: Any, other: Any, field: str = "") -> tuple[str, ...]:
    """Return what two answers to one question contradict each other in, for people; empty: nothing that can be told."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return tuple(_of_fields(one, other, field))
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return tuple(_of_lists(one, other, field))
    if isinstance(one, bool) or isinstance(other, bool):
        return _said(field, one, other) if yes_or_no(one) is not None and yes_or_no(other) not in (None, yes_or_no(one)) else ()
    if isinstance(one, int | float) and isinstance(other, int | float):
        return () if _near(one, other) else _said(field, one, other)
    if isinstance(one, str | int | float) and isinstance(other, str | int | float):
        return _of_texts(str(one), str(other), field)
    return ()


def _of_fields(one: Mapping[str, Any], other: Mapping[str, Any], field: str) -> Iterator[str]:
    """Yield contradictions of the fields that both have."""
    for name in sorted(set(one) & set(other) - _ASIDE):
        yield from contradictions(one[name], other[name], f"{field}.{name}" if field else str(name))


def _of_lists(one: Any, other: Any, field: str) -> Iterator[str]:
    """Yield contradictions of entities: those of one label, where either has one value of it only."""
    mine, yours = _labelled(one), _labelled(other)
    for label in sorted(set(mine) & set(yours)):
        if len(mine[label]) == len(yours[label]) == 1:
            yield from contradictions(mine[label][0], yours[label][0], f"{field}.{label}" if field else label)


def _labelled(items: Any) -> dict[str, list[Any]]:
    """Return values by label of a list of entities."""
    found: dict[str, list[Any]] = {}
    for item in items:
        label = item.get("label", item.get("kind")) if isinstance(item, Mapping) else None
        if label is not None:
            value = item.get("value", item.get("text"))
            if value is not None and value not in found.setdefault(str(label), []):
                found[str(label)].append(value)
    return found


def _of_texts(one: str, other: str, field: str) -> tuple[str, ...]:
    """Compare two texts by the most telling thing that both have: yes or no, dates, numbers, then words."""
    if _key(one) == _key(other):
        return ()
    mine, yours = yes_or_no(one), yes_or_no(other)
    if mine is not None or yours is not None:
        stances = [not _negated(text) if said is None else said for text, said in ((one, mine), (other, yours))]
        sure = None not in (mine, yours) or False in (mine, yours) or _negated(one) or _negated(other)
        return _said(field, one, other) if sure and stances[0] != stances[1] else ()
    for of in (dates, numbers):
        left, right = of(one), of(other)
        if left and right:
            clash = not _meet(left, right)
            if clash or of is dates:
                return (
                    _said(field, one, other) if clash and (len(left) == len(right) == 1 or _about_one_thing(one, other)) else ()
                )
            return ()
    if bool(numbers(one)) != bool(numbers(other)) and min(len(_words(one)), len(_words(other))) > 0:
        return _said(field, one, other) if _negated(one) != _negated(other) and _about_one_thing(one, other) else ()
    return _of_words(one, other, field)


def _of_words(one: str, other: str, field: str) -> tuple[str, ...]:
    """Compare texts without numbers: short ones are labels, longer ones contradict where one denies what the other says."""
    mine, yours = _words(one), _words(other)
    if not mine or not yours:
        return ()
    if len(mine) <= 3 and len(yours) <= 3:
        return () if mine <= yours or yours <= mine else _said(field, one, other)
    return _said(field, one, other) if _negated(one) != _negated(other) and _about_one_thing(one, other) else ()


def dates(text: str) -> list[date]:
    """Return the days in a text."""
    return [one.day for one in days_in(text)]


def numbers(text: str) -> list[float]:
    """Return the numbers in a text, dates aside; thousands, percent and words such as million are reckoned in."""
    text = _COUNT.sub(lambda found: _COUNTS[found[0].lower()], without_days(text))
    found = []
    for one in _NUMBER.findall(text):
        bare = re.match(r"[-+\d,.e]+", one.strip(), re.IGNORECASE)
        digits = bare[0].replace(",", "").rstrip("e") if bare else ""
        unit = one.strip()[len(bare[0]) :].strip().lower() if bare else ""
        found.append(float(digits) * _SCALE.get(unit, 1.0))
    return found


def _meet(left: list[Any], right: list[Any]) -> bool:
    """Say whether every claim of the side with fewer is also the other's."""
    few, many = sorted((left, right), key=len)
    return all(any(_near(one, other) for other in many) for one in few)


def _near(one: Any, other: Any) -> bool:
    if isinstance(one, date):
        return bool(one == other)
    return bool(abs(one - other) <= _NEAR * max(abs(one), abs(other), 1e-9))


def yes_or_no(value: Any) -> bool | None:
    """Return what an answer says to a question of yes or no, if it begins with that."""
    if isinstance(value, bool):
        return value
    word = _WORD.search(value.lower()) if isinstance(value, str) else None
    return True if word and word[0] in _YES else False if word and word[0] in _NO else None


def _about_one_thing(one: str, other: str) -> bool:
    """Say whether two texts share half of their words; a bare value is about whatever was asked."""
    mine, yours = _words(one) - _NOT, _words(other) - _NOT
    few = min(len(mine), len(yours))
    return few == 0 or len(mine & yours) / few >= _LIKE


def _words(text: str) -> set[str]:
    found = {word.lower().removesuffix("'s") for word in _WORD.findall(text)}
    return {_stem(word) for word in found if word not in _SMALL and word not in MONTHS} or found  # `A` alone is an option


def _stem(word: str) -> str:
    """Cut the commonest endings off, so that one word in two forms is one."""
    for ending in ("ing", "ed", "es", "s"):
        if len(word) > len(ending) + 3 and word.endswith(ending):
            return word.removesuffix(ending)
    return word


def _negated(text: str) -> bool:
    """Say whether a text denies: an odd number of words such as not."""
    words = [word.lower() for word in _WORD.findall(text)]
    return bool(sum(word in _NOT or word.endswith("n't") for word in words) % 2)


def _key(text: str) -> str:
    return " ".join(re.findall(r"(?<!\w)-\d+|\w+", text.lower()))


def _said(field: str, one: Any, other: Any) -> tuple[str, ...]:
    """Say it for people, short."""
    return (f"{field + ': ' if field else ''}{str(one)[:80]!r} against {str(other)[:80]!r}",)
