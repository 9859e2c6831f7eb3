"""Texts with labelled entities: `[text|kind]` in a line becomes plain text and where each entity stands. Pure."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from msgspec import Struct

from agents.finding.entity import Entity, Kind, entity

_MARK = re.compile(r"\[(?P<text>[^\]|]+)\|(?P<kind>[a-z_]+)\]")
_KINDS: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}


class Labelled(Struct, frozen=True):
    """A text, and the entities that stand in it."""

    text: str
    entities: tuple[Entity, ...]


def documents(path: Path) -> list[Labelled]:
    """Return the documents of a file, one a line."""
    return [labelled(line) for line in lines(path)]


def lines(path: Path) -> Iterator[str]:
    """Yield the lines of a data file that are no comments."""
    return (line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#"))


def labelled(line: str) -> Labelled:
    """Return a document of a line with marks.

    Raises:
        KeyError: a mark names a kind that there is not.
    """
    text, found, after = "", [], 0
    for mark in _MARK.finditer(line):
        text += line[after : mark.start()]
        found.append((_KINDS[mark["kind"]], len(text), len(text) + len(mark["text"])))
        text += mark["text"]
        after = mark.end()
    text += line[after:]
    return Labelled(text, tuple(entity(kind, text, start, end) for kind, start, end in found))
