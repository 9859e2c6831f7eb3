"""Summaries: how many of the sentences that say what matters are in a summary of as many, against the first ones of the text."""

import re
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from agents.reading.summary import chosen, stacked
from bench.agents.compared import Metric, compared
from bench.agents.figure import Figure
from bench.agents.heads import encoder
from learning.encoding import TextEncoder

DATA = Path(__file__).resolve().parents[1] / "data" / "articles.txt"
LENGTH = 3  # sentences of a summary, as the worker gives them
_WORD = re.compile(r"[a-z]{4,}")


class Article(Struct, frozen=True):
    """The sentences of an article, and the numbers of those that say what matters."""

    sentences: tuple[str, ...]
    key: frozenset[int]


class Covered(Struct, frozen=True):
    """What a summary holds of what matters: sentences and words, found and all."""

    sentences: int
    of: int
    words: int
    of_words: int


def measure(seed: int) -> list[Figure]:
    """Return the figures."""
    read, vectors = articles(DATA.read_text(encoding="utf-8")), encoder()
    ours = [covered(one, summarized(one, vectors)) for one in read]
    lead = [covered(one, range(LENGTH)) for one in read]
    data = f"{len(read)} articles written by hand, {LENGTH} sentences each"

    def shown(name: str, found: str, of: str) -> Figure:
        return compared(
            Metric("summary", name, data, f"first {LENGTH} sentences"), ours, lead, lambda some: _share(some, found, of), seed
        )

    return [shown("key sentences kept", "sentences", "of"), shown("words of key sentences kept", "words", "of_words")]


def articles(text: str) -> list[Article]:
    """Return the articles of a data file."""
    plain = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    return [_article(part.splitlines()) for part in plain.split("\n\n") if part.strip()]


def summarized(one: Article, vectors: TextEncoder) -> list[int]:
    """Return the numbers of the sentences that the worker chooses."""
    return chosen(stacked([vectors.encode(sentence) for sentence in one.sentences]), LENGTH)


def covered(one: Article, picked: Sequence[int]) -> Covered:
    """Compare a summary with what matters."""
    wanted = {word for number in one.key for word in _WORD.findall(one.sentences[number].lower())}
    got = {word for number in picked for word in _WORD.findall(one.sentences[number].lower())}
    return Covered(len(one.key & set(picked)), len(one.key), len(wanted & got), len(wanted))


def _article(rows: Sequence[str]) -> Article:
    rows = [row for row in rows if row]
    key = frozenset(number for number, row in enumerate(rows) if row.startswith("* "))
    return Article(tuple(row.removeprefix("* ") for row in rows), key)


def _share(of: Sequence[Covered], found: str, all_of: str) -> float:
    return float(sum(getattr(one, found) for one in of) / sum(getattr(one, all_of) for one in of))
