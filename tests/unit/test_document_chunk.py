"""Texts are cut into pieces that fit, along sentences, and nothing is lost."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.document.chunk import Cut, cut, sentences

TEXTS = st.text(alphabet=st.sampled_from("abcXYZ 0.!?,;:-#*|\n\tÄß€"), max_size=400)


def count(text: str) -> int:
    """Count words and signs."""
    return len(re.findall(r"\w+|[^\w\s]", text))


def said(text: str, how: Cut) -> list[str]:
    """Return the pieces of a text as texts."""
    return [text[one.start : one.end] for one in cut(text, count, how)]


@given(TEXTS, st.integers(1, 40), st.integers(0, 39))
def test_every_character_lies_in_a_piece_and_every_piece_fits(text: str, tokens: int, overlap: int) -> None:
    """Whatever the text, no character but a blank is lost, pieces come in order, and none is above the budget."""
    pieces = cut(text, count, Cut(tokens, min(overlap, tokens - 1)))

    covered = {place for one in pieces for place in range(one.start, one.end)}
    assert all(place in covered or character.isspace() for place, character in enumerate(text))
    assert [one.start for one in pieces] == sorted(one.start for one in pieces)
    assert all(count(text[one.start : one.end]) <= tokens or one.end - one.start == 1 for one in pieces)
    assert len({(one.start, one.end) for one in pieces}) == len(pieces)


def test_pieces_end_with_sentences_and_begin_with_the_last_one_before() -> None:
    """A sentence stays whole, and the next piece repeats the one before it where that fits."""
    text = "The cat sat down. The dog ran off. The bird sang. Nobody heard it."

    assert said(text, Cut(12, 5)) == [
        "The cat sat down. The dog ran off.",
        "The dog ran off. The bird sang.",
        "The bird sang. Nobody heard it.",
    ]


def test_a_heading_begins_a_piece_and_is_told_with_it() -> None:
    """What stands under two headings is not mixed."""
    text = "# Pumps\nThey hum.\n\n## Seals\nThey leak."
    pieces = cut(text, count, Cut(50, 0))

    assert [(one.heading, text[one.start : one.end]) for one in pieces] == [
        ("Pumps", "# Pumps\nThey hum."),
        ("Seals", "## Seals\nThey leak."),
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Use e.g. oil. Then stop.", ["Use e.g. oil.", "Then stop."]),
        ("- one\n- two", ["- one", "- two"]),
        ("a line that was wrapped by an editor because it is long enough to be\nwrapped here", 1),
        ("Costs 4.80 euros. Yes!", ["Costs 4.80 euros.", "Yes!"]),
    ],
)
def test_sentences_end_where_people_end_them(text: str, parts: list[str] | int) -> None:
    """Abbreviations, decimals and wrapped lines end nothing; lines of lists do."""
    found = [text[start:end] for start, end in sentences(text)]

    assert found == parts if isinstance(parts, list) else len(found) == parts


def test_an_overlap_that_leaves_no_room_is_refused() -> None:
    """Pieces would never come to an end."""
    with pytest.raises(ValueError, match="does not fit"):
        cut("a", count, Cut(5, 5))
