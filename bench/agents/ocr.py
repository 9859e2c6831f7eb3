"""OCR: character error rate on generated invoices, and how often the total and the date come out exactly.

The baseline puts the same spots into rows by their height on the page, which is right as long as the page lies straight
and its top is up.
"""

import itertools
import random
import re
import time
from collections.abc import Sequence
from typing import Literal

import numpy as np
from msgspec import Struct

from agents.finding.patterns import dates_in
from agents.reading.engine import Engine, Image
from agents.reading.file import Limits, read_file
from agents.reading.page import Spot
from bench.agents.compared import Metric, compared
from bench.agents.figure import Figure
from bench.agents.invoice import CONDITIONS, Condition, Invoice, drawn, invoice, worn
from bench.spread import middle

PAGES = 12  # per condition
BASELINE = "rows by height alone"
_ROW = 19  # pixels: half of what lies between two rows of these invoices
_AMOUNT = re.compile(r"\d[\d.,]*\d")
_ASKED = {"clean": "at most .01", "noisy": "at most .03", "rotated": "", "turned": ""}


class Reading(Struct, frozen=True):
    """What came of one page: errors and characters, whether total and date were exact, and the seconds it took."""

    errors: int
    characters: int
    total: bool
    date: bool
    seconds: float


def measure(seed: int) -> list[Figure]:
    """Return the figures."""
    engine = Engine.load()
    papers = [invoice(random.Random(f"{seed}/{number}")) for number in range(PAGES)]
    return [figure for condition in CONDITIONS for figure in _figures(engine, papers, condition, seed)]


def errors(read: str, wanted: str) -> int:
    """Return the least number of characters to add, remove or change (Levenshtein); blanks count as one each."""
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.distance(" ".join(read.split()), " ".join(wanted.split()))


def judged(paper: Invoice, text: str, seconds: float) -> Reading:
    """Compare what was read with what was printed; total and date are taken from their own lines."""
    characters = len(" ".join(paper.text.split()))
    return Reading(
        errors(text, paper.text), characters, total_of(text) == paper.total, date_of(text) == _day(paper.date), seconds
    )


def total_of(text: str) -> str | None:
    """Return the amount in the line of the total."""
    line = next((line for line in text.splitlines() if line.lower().startswith("total")), "")
    found = _AMOUNT.search(line)
    return found.group() if found else None


def date_of(text: str) -> str | None:
    """Return the first day that is named, as ISO writes it."""
    return next((day.isoformat() for _, day in dates_in(text)), None)


def _day(printed: str) -> str | None:
    return date_of(printed)


class _Watched:
    """The recognizer, and what it found last."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.spots: list[Spot] = []

    def read(self, image: Image) -> list[Spot]:
        """Read, and remember."""
        self.spots = self._engine.read(image)
        return self.spots


def _figures(engine: Engine, papers: Sequence[Invoice], condition: Condition, seed: int) -> list[Figure]:
    """Return the figures of one condition."""
    both = [_both(engine, paper, condition, [seed, number]) for number, paper in enumerate(papers)]
    ours, theirs = [one for one, _ in both], [other for _, other in both]
    data = f"{len(papers)} generated invoices, {condition}"

    return [
        compared(
            Metric("ocr", "character error rate", data, BASELINE, "share", "lower", _ASKED[condition]), ours, theirs, _rate, seed
        ),
        compared(Metric("ocr", "total exact", data, BASELINE), ours, theirs, lambda some: _share(some, "total"), seed),
        compared(Metric("ocr", "date exact", data, BASELINE), ours, theirs, lambda some: _share(some, "date"), seed),
        Figure("ocr", "time per page", "s", "lower", middle([one.seconds for one in ours]), data, len(papers)),
    ]


def _both(engine: Engine, paper: Invoice, condition: Condition, seed: list[int]) -> tuple[Reading, Reading]:
    """Return what our way and the plain one make of the same spots of the same scan."""
    scan, watched = worn(drawn(paper), condition, np.random.default_rng(seed)), _Watched(engine)
    began = time.perf_counter()
    text = read_file("scan", scan, watched, Limits())[0].text
    seconds = time.perf_counter() - began
    return judged(paper, text, seconds), judged(paper, plain_rows(watched.spots), seconds)


def plain_rows(spots: Sequence[Spot]) -> str:
    """Return spots by the height of their upper left corner, in steps of half a row, then from left to right."""
    placed = sorted((round(spot.corners[0][1] / _ROW), spot.corners[0][0], spot.text) for spot in spots)
    rows = itertools.groupby(placed, key=lambda one: one[0])
    return "\n".join(" ".join(text for *_, text in row) for _, row in rows)


def _rate(of: Sequence[Reading]) -> float:
    return sum(one.errors for one in of) / sum(one.characters for one in of)


def _share(of: Sequence[Reading], what: Literal["total", "date"]) -> float:
    right = [one.total if what == "total" else one.date for one in of]
    return sum(right) / len(right)
