"""An entity, where it stands, and which of two that overlap is kept. Pure."""

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

Kind = Literal["person", "organisation", "place", "date", "money", "invoice_number", "email", "iban"]
KINDS: tuple[Kind, ...] = ("person", "organisation", "place", "date", "money", "invoice_number", "email", "iban")


class Entity(Struct, frozen=True):
    """What was found: `text` is exactly the characters from `start` to before `end`."""

    kind: Kind
    text: str
    start: int
    end: int


def entity(kind: Kind, text: str, start: int, end: int) -> Entity:
    """Return what stands at a place of a text."""
    return Entity(kind, text[start:end], start, end)


def merged(ranked: Sequence[Iterable[Entity]]) -> list[Entity]:
    """Return entities of several finders in the order of the text, without overlaps: the earlier finder wins."""
    kept: list[Entity] = []
    for found in ranked:
        kept += [one for one in found if not any(one.start < other.end and other.start < one.end for other in kept)]
    return sorted(kept, key=lambda one: one.start)
