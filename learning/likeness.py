"""How alike an answer and its correction are: one less the share of words that somebody had to edit.

The measure is that of human-targeted translation edit rate (Snover et al., "A Study of Translation Edit Rate with Targeted
Human Annotation", AMTA 2006) without its shifts of phrases, divided by the longer of the two texts so that it lies in [0, 1].
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

MOST_CHARS = 10_000  # as long as a correction may be: of a longer answer nobody can send the whole of it back
MOST_WORDS = 2_000  # a comparison takes time with the product of both lengths
_FIELDS = ("text", "answer", "value", "label")  # where the pipelines that come along put what they answer
_UNSPACED = r"\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"  # scripts that put no space between words
# Numbers whole, single characters of such scripts, words with their apostrophes, and punctuation marks one by one.
_WORD = re.compile(rf"\d+(?:[.,]\d+)+|[{_UNSPACED}]|[^\W{_UNSPACED}]+(?:['’][^\W{_UNSPACED}]+)*|[^\w\s]")


def answer_text(output: Any) -> str | None:
    """Return the answer in an output that somebody may correct: the text itself, or the field of an object that holds it.

    None where there is none, or where it is longer than a correction can be.
    """
    found = next((output[name] for name in _FIELDS if name in output), None) if isinstance(output, Mapping) else output
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return None
    text = str(found)
    return text if len(text) <= MOST_CHARS else None


@lru_cache(maxsize=256)  # the reward of a task is made again with each fact about it
def likeness(answer: str, correction: str) -> float | None:
    """Return 1 for the same words in the same order, 0 where none could stay, None where one text is too long."""
    one, other = words(answer), words(correction)
    longer = max(len(one), len(other))
    if longer > MOST_WORDS:
        return None
    return 1.0 - edits(one, other) / longer if longer else 1.0


def words(text: str) -> list[str]:
    """Return what is compared: words as they are written, case included."""
    return _WORD.findall(text)


def edits(one: list[str], other: list[str]) -> int:
    """Return how many words must be put in, taken out or replaced to make one of the other (Levenshtein 1966).

    Row by row, each as a whole: putting words in is a running minimum once the count of words is taken off.
    """
    number: dict[str, int] = {}
    left, right = (np.array([number.setdefault(word, len(number)) for word in each], dtype=np.int64) for each in (one, other))
    places = np.arange(len(right) + 1)
    row = places.copy()
    for word in left:
        kept = np.minimum(row[1:] + 1, row[:-1] + (right != word))
        row = np.minimum.accumulate(np.concatenate(([row[0] + 1], kept)) - places) + places
    return int(row[-1])
