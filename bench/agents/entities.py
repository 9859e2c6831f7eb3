"""Entities: F1 per kind against a dictionary with patterns, and false finds in texts that hold none.

A find counts if kind, start and end are those of the label. Two sets are kept apart: documents written by hand, and synthetic
ones made by a seeded generator, on which the forms of dates and sums vary more.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from agents.finding import patterns
from agents.finding.entity import KINDS, Entity, Kind, merged
from agents.finding.names import Names
from bench.agents.compared import Metric, compared
from bench.agents.figure import Figure
from bench.agents.gazetteer import by_dictionary
from bench.agents.invented import invented
from bench.agents.labelled import Labelled, documents, lines

DATA = Path(__file__).resolve().parents[1] / "data"
BASELINE = "dictionary and patterns"
Found = Sequence[Sequence[Entity]]  # of each document
Finder = Callable[[str], list[Entity]]


class Hits(Struct, frozen=True):
    """What came of one document for one kind: found and right, found, and labelled."""

    right: int
    found: int
    labelled: int


def measure(seed: int) -> list[Figure]:
    """Return the figures."""
    model, plain = Names.load().find, baseline
    sets = {
        "documents written by hand": documents(DATA / "entities.txt"),
        "synthetic documents": [invented(random.Random(f"{seed}/{number}")) for number in range(200)],
    }
    figures = [figure for name, texts in sets.items() for figure in _scores(name, texts, model, plain, seed)]
    return [*figures, _false_finds(list(lines(DATA / "entity_free.txt")), model, plain, seed)]


def baseline(text: str) -> list[Entity]:
    """Find what has a form of its own, and names that stand in a dictionary."""
    return merged((patterns.find(text), by_dictionary(text)))


def hits(document: Labelled, found: Sequence[Entity], kind: Kind | None) -> Hits:
    """Return what came of a document; kind None: of all kinds."""
    wanted = Counter((one.kind, one.start, one.end) for one in document.entities if kind in (None, one.kind))
    got = Counter((one.kind, one.start, one.end) for one in found if kind in (None, one.kind))
    return Hits((wanted & got).total(), got.total(), wanted.total())


def f1(of: Sequence[Hits]) -> float:
    """Return the harmonic mean of precision and recall over documents; 0 where nothing is right."""
    right, found, labelled = (sum(getattr(one, name) for one in of) for name in ("right", "found", "labelled"))
    return 2 * right / (found + labelled) if found + labelled else 0.0


def _scores(name: str, texts: Sequence[Labelled], model: Finder, plain: Finder, seed: int) -> list[Figure]:
    """Return F1 for each kind that is labelled, and over all."""
    data = f"{len(texts)} {name}"
    ours, theirs = ([find(one.text) for one in texts] for find in (model, plain))
    present = {entity.kind for one in texts for entity in one.entities}
    return [_f1(data, texts, ours, theirs, kind, seed) for kind in (None, *(kind for kind in KINDS if kind in present))]


def _f1(data: str, texts: Sequence[Labelled], ours: Found, theirs: Found, kind: Kind | None, seed: int) -> Figure:
    """Return F1 of one kind; None: of all."""
    mine, other = ([hits(one, got, kind) for one, got in zip(texts, found, strict=True)] for found in (ours, theirs))
    metric = Metric("entities", f"F1, {kind or 'all kinds'}", data, BASELINE)
    return compared(metric, mine, other, f1, seed, n=sum(one.labelled for one in mine))


def _false_finds(texts: Sequence[str], model: Finder, plain: Finder, seed: int) -> Figure:
    """Return how much is found where nothing stands."""
    words = sum(len(text.split()) for text in texts)
    ours, theirs = ([(len(find(text)), len(text.split())) for text in texts] for find in (model, plain))
    data = f"{len(texts)} entity-free paragraphs"
    metric = Metric("entities", "false finds per 1,000 words", data, BASELINE, unit="finds", better="lower")
    return compared(metric, ours, theirs, _per_1000, seed, n=words)


def _per_1000(counted: Sequence[tuple[int, int]]) -> float:
    return 1_000 * sum(finds for finds, _ in counted) / sum(words for _, words in counted)
