"""The form of a text: named numbers and hashed pattern, bounded for any text."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.surface import PATTERN_WIDTH, SURFACE_NAMES, SURFACE_WIDTH, named, outline, pattern, surface


def value(text: str, name: str) -> float:
    """Return one named number of a text."""
    return float(named(text)[SURFACE_NAMES.index(name)])


def test_names_are_unique_and_counted() -> None:
    """Every number has one name; the width adds the hashed pattern."""
    assert len(set(SURFACE_NAMES)) == len(SURFACE_NAMES) == 52
    assert SURFACE_WIDTH == 52 + PATTERN_WIDTH


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("Which?\nA. one\nB. two\n(C) three", "log_count_option_line", math.log1p(3)),
        ("ab12", "share_digit", 0.5),
        ("Ab1 ", "share_capital", 0.25),
        ("$x$ and $y$", "log_count_dollar", math.log1p(4)),
        ("Wie viel ist 3?", "asks_how", 1.0),
        ("Berechne 3 + 4", "orders", 1.0),
        ("Q: why", "begins_with_label", 1.0),
        ("What is it?\nA. this\nB. that", "ends_asking", 1.0),
        ("I said so.", "ends_asking", 0.0),
        ("x" * 2_000_000, "log_characters", math.log1p(1_000_000)),
    ],
)
def test_a_named_number_measures_what_it_says(text: str, name: str, expected: float) -> None:
    """Counts, shares, openings and endings come out as a person would count them."""
    assert value(text, name) == pytest.approx(expected, rel=1e-6)


def test_the_outline_keeps_form_and_drops_words() -> None:
    """Letters and digits shrink to A, a and 9; signs stay."""
    assert outline("Is 12>5? Größe x_1") == "Aa 9>9? Aa a_9"


def test_texts_of_one_form_share_a_pattern() -> None:
    """Other words and numbers in the same form give the same pattern."""
    assert np.array_equal(pattern("Add 12 and 7."), pattern("Put 3 beside 99."))
    assert not np.array_equal(pattern("Add 12 and 7."), pattern("Add twelve and seven."))


@given(st.text(alphabet=st.characters(), max_size=300))
def test_any_text_gives_bounded_finite_numbers(text: str) -> None:
    """Whatever the characters, lone surrogates included, all numbers are finite and the named ones within 0 and 14."""
    values = surface(text)

    assert values.shape == (SURFACE_WIDTH,)
    assert np.isfinite(values).all()
    assert (values[: len(SURFACE_NAMES)] >= 0).all()
    assert (values[: len(SURFACE_NAMES)] <= 14).all()
    assert float(np.linalg.norm(values[len(SURFACE_NAMES) :])) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", ["\n", " ", "\n ", "A", "A. ", "\nA. ", "1.", "_", "\ud800"], ids=ascii)
def test_a_megabyte_of_anything_is_read_quickly(piece: str) -> None:
    """No pattern is quadratic: a megabyte of one piece took 9 s before the patterns were bounded, now milliseconds."""
    assert np.isfinite(surface(piece * 1_000_000)).all()
