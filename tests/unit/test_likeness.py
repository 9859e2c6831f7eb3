"""How alike an answer and its correction are, and what the answer in an output is."""

import random
from typing import Any

import pytest

from learning.likeness import MOST_CHARS, MOST_WORDS, answer_text, edits, likeness, words


def textbook(one: list[str], other: list[str]) -> int:
    """Return the edit distance cell by cell."""
    above = list(range(len(other) + 1))
    for number, mine in enumerate(one, 1):
        row = [number]
        for place, theirs in enumerate(other, 1):
            row.append(min(above[place] + 1, row[-1] + 1, above[place - 1] + (mine != theirs)))
        above = row
    return above[-1]


@pytest.mark.parametrize("seed", range(200))
def test_edits_are_those_of_the_textbook(seed: int) -> None:
    """Rows as a whole give what cells one by one give."""
    chance = random.Random(seed)
    one, other = (chance.choices("abcd", k=chance.randint(0, 12)) for _ in range(2))

    assert edits(one, other) == textbook(one, other) == edits(other, one)


@pytest.mark.parametrize(
    ("answer", "correction", "alike"),
    [
        ("84", "84", 1.0),
        ("84", "85", 0.0),
        ("a cat sat", "the cat sat down", 0.5),
        ("3.5 km", "3.6 km", 0.5),
        ("", "", 1.0),
        ("", "something", 0.0),
        ("今日は", "今日も", 1.0 - 1 / 3),
        ("x " * (MOST_WORDS + 1), "x", None),
    ],
)
def test_likeness_is_the_share_of_words_that_stay(answer: str, correction: str, alike: float | None) -> None:
    """Half of the words edited is worth one half; numbers are right or wrong; texts too long to compare say nothing."""
    assert likeness(answer, correction) == alike


def test_words_are_what_people_take_for_words() -> None:
    """Numbers and contractions stay whole, punctuation counts, and so does each character where nothing is spaced."""
    assert words("It isn't 1,234.5, is it? 日本") == ["It", "isn't", "1,234.5", ",", "is", "it", "?", "日", "本"]


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("fine", "fine"),
        (42, "42"),
        ({"expression": "40 + 2", "value": "42"}, "42"),
        ({"label": "positive", "compound": 0.5}, "positive"),
        ({"text": "said", "value": "1"}, "said"),
        ({"score": 1.0}, None),
        ({"text": ["a"]}, None),
        ({"value": True}, None),
        (["a"], None),
        (None, None),
        ("x" * MOST_CHARS, "x" * MOST_CHARS),
        ("x" * (MOST_CHARS + 1), None),
    ],
)
def test_the_answer_in_an_output(output: Any, text: str | None) -> None:
    """A text or number, or the field of an object that holds one; anything else cannot be corrected."""
    assert answer_text(output) == text
