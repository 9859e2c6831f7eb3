"""Two results beside each other: what both have, what only one has, and where they say different things. Pure.

Entities are compared by kind and by what they mean: 14 March 2024 is 2024-03-14, EUR 1,250.00 is 1250 euros.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from agents.day import day_of
from agents.team.claim import contradictions, numbers

_SIGNS = {
    "€": "eur",
    "$": "usd",
    "us$": "usd",
    "£": "gbp",
    "¥": "jpy",
    "euro": "eur",
    "euros": "eur",
    "dollar": "usd",
    "dollars": "usd",
}
_CURRENCY = re.compile(r"us\$|[$€£¥]|[a-z]+", re.IGNORECASE)


class Comparison(Struct, frozen=True):
    """How a second result differs from a first: `different` what both have and say otherwise, for people."""

    different: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]
    shared: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Say whether nothing differs."""
        return not (self.different or self.missing or self.added)


def compared(first: Any, second: Any) -> Comparison:
    """Return how two results differ: entities by kind, all else by what contradicts."""
    mine, yours = _entities(first), _entities(second)
    if mine is not None and yours is not None:
        return _of_entities(mine, yours)
    return Comparison(contradictions(first, second), (), (), ())


def told(first: str, second: str, found: Comparison) -> str:
    """Return a comparison as a sentence or some."""
    if found.same:
        return f"{first} and {second} agree in {len(found.shared)} things."
    said = [f"differs: {one}" for one in found.different]
    said += [f"only in {first}: {one}" for one in found.missing] + [f"only in {second}: {one}" for one in found.added]
    return "; ".join(said) + "."


def _of_entities(mine: Mapping[tuple[str, str], str], yours: Mapping[tuple[str, str], str]) -> Comparison:
    """Compare sets of entities; a kind of which each has exactly one thing that the other has not differs in that thing."""
    different: list[str] = []
    missing, added = [key for key in mine if key not in yours], [key for key in yours if key not in mine]
    for kind in sorted({kind for kind, _ in missing} & {kind for kind, _ in added}):
        left, right = [key for key in missing if key[0] == kind], [key for key in added if key[0] == kind]
        if len(left) == len(right) == 1:
            different.append(f"{_word(kind)} {mine[left[0]]!r} against {yours[right[0]]!r}")
            missing.remove(left[0])
            added.remove(right[0])
    shared = [f"{_word(key[0])} {mine[key]!r}" for key in mine if key in yours]
    return Comparison(
        tuple(different),
        tuple(f"{_word(key[0])} {mine[key]!r}" for key in missing),
        tuple(f"{_word(key[0])} {yours[key]!r}" for key in added),
        tuple(shared),
    )


def _entities(output: Any) -> dict[tuple[str, str], str] | None:
    """Return entities by kind and meaning, as they stand; None: these are none."""
    items = output.get("entities") if isinstance(output, Mapping) else output
    if not isinstance(items, Sequence) or isinstance(items, str) or not all(_is_entity(one) for one in items):
        return None
    found: dict[tuple[str, str], str] = {}
    for one in items:
        found.setdefault((str(one["kind"]), _meaning(str(one["kind"]), str(one["text"]))), " ".join(str(one["text"]).split()))
    return found


def _is_entity(item: Any) -> bool:
    return isinstance(item, Mapping) and "kind" in item and "text" in item


def _meaning(kind: str, text: str) -> str:
    """Return what an entity means, in one form."""
    if kind == "date" and (day := day_of(text)):
        return day.isoformat()
    if kind == "money" and (sums := numbers(_plain_sum(text))):
        unit = (_CURRENCY.search(text) or [""])[0].lower()
        return f"{sums[0]:.2f} {_SIGNS.get(unit, unit)}"
    return re.sub(r"[\W_]+", " ", text).strip().lower()


def _plain_sum(text: str) -> str:
    """Return a sum with a point before its cents, whichever sign the document has there."""
    german = re.fullmatch(r"(.*?)(\d{1,3}(?:\.\d{3})*),(\d{1,2})(\D*)", text.strip())
    return f"{german[1]}{german[2].replace('.', '')}.{german[3]}{german[4]}" if german else text


def _word(kind: str) -> str:
    return kind.replace("_", " ")
