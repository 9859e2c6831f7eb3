"""Extractive summaries: the sentences that the rest of a text agrees with most, without saying anything twice. Pure.

LexRank (Erkan and Radev, 2004) over cosines of sentence vectors, then maximal marginal relevance (Carbonell and Goldstein, 1998).
"""

import re
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

_END = re.compile(r"(?<=[.!?…])[\"'”’)]*\s+(?=[\"'“‘(]*[A-ZÄÖÜ0-9])|\n\s*\n|\n(?=[-*•] )")
_SHORT = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|Prof|St|No|Nr|vs|etc|approx|Inc|Ltd|z\.B|e\.g|i\.e|[A-Z])\.$")
_DAMPING = 0.85
_ROUNDS = 60
_SAME = 0.95  # cosine of two sentences that say the same
_TRADE = 0.7  # how much being central counts against saying something new

Matrix = NDArray[np.float64]


class Sentence(Struct, frozen=True):
    """One sentence, and where it stands in the text."""

    text: str
    start: int
    end: int


def sentences(text: str) -> list[Sentence]:
    """Return the sentences of a text, in order; an abbreviation ends none."""
    cuts, start = [], 0
    for mark in _END.finditer(text):
        if not _SHORT.search(text[start : mark.start()]):
            cuts.append((start, mark.start() + len(mark.group().rstrip()) if mark.group().strip() else mark.start()))
            start = mark.end()
    cuts.append((start, len(text)))
    return [_bare(text, *cut) for cut in cuts if text[slice(*cut)].strip()]


def central(vectors: Matrix) -> NDArray[np.float64]:
    """Return how central each sentence is, from unit vectors of shape (n, width): the sum is one."""
    likeness = np.clip(vectors @ vectors.T, 0.0, None)
    np.fill_diagonal(likeness, 0.0)
    spread = likeness / np.maximum(likeness.sum(axis=1, keepdims=True), 1e-9)
    ranks = np.full(len(vectors), 1 / len(vectors))
    for _ in range(_ROUNDS):
        ranks = (1 - _DAMPING) / len(vectors) + _DAMPING * (spread.T @ ranks)
    normed: NDArray[np.float64] = ranks / ranks.sum()
    return normed


def chosen(vectors: Matrix, most: int) -> list[int]:
    """Return the numbers of the sentences of a summary, in the order of the text."""
    ranks = central(vectors)
    ranks = ranks / ranks.max()
    picked: list[int] = []
    while len(picked) < min(most, len(vectors)):
        repeated = (vectors @ vectors[picked].T).max(axis=1) if picked else np.zeros(len(vectors))
        worth = _TRADE * ranks - (1 - _TRADE) * repeated
        worth[repeated > _SAME] -= 1.0  # before anything is said twice, the worst of the others is taken
        worth[picked] = -np.inf
        picked.append(int(np.argmax(worth)))
    return sorted(picked)


def _bare(text: str, start: int, end: int) -> Sentence:
    """Return a sentence without blanks around it."""
    raw = text[start:end]
    start += len(raw) - len(raw.lstrip())
    end -= len(raw) - len(raw.rstrip())
    return Sentence(text[start:end], start, end)


def stacked(vectors: Sequence[NDArray[np.float32]]) -> Matrix:
    """Return vectors as one matrix."""
    return np.array(vectors, dtype=np.float64)
