"""What Postgres cannot hold is found, wherever it lies; what we quote is fit to print."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.request import SubmitTask
from events.text import MAX_DEPTH, plain, quoted, unstorable


def nested(depth: int) -> Any:
    """Return lists in lists."""
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("a\0b", "holds the character U+0000 at position 1"),
        ("ab\ud800", "holds the lone surrogate U+D800 at position 2"),
        ({"a": [1, {"b": "\0"}]}, "a[1].b holds the character U+0000 at position 0"),
        ({"a": {"k\0": 1}}, r"a.k\x00 is a key that holds the character U+0000 at position 1"),
        ({"\udfff": 1}, r"\udfff is a key that holds the lone surrogate U+DFFF at position 0"),
        ([math.nan], "[0] is not a finite number"),
        ({"a": -math.inf}, "a is not a finite number"),
        (SubmitTask(text="\0"), "text holds the character U+0000 at position 0"),
        (SubmitTask(text="a", input={"x": ["\0"]}), "input.x[0] holds the character U+0000 at position 0"),
    ],
)
def test_what_postgres_cannot_hold_is_named_with_its_path(value: Any, why: str) -> None:
    """A producer learns which field to mend."""
    assert unstorable(value) == why


@pytest.mark.parametrize(
    "value", ["", "Größe 漢 😀 \u202e\t\n", None, True, 2**70, -0.0, [], {}, nested(MAX_DEPTH), SubmitTask(text="a")]
)
def test_what_postgres_can_hold_is_passed(value: Any) -> None:
    """Everything else that JSON has is storable, tabs and bidi marks included."""
    assert unstorable(value) is None


def test_a_name_goes_before_the_path() -> None:
    """Whoever checks one field says which."""
    assert unstorable(["\0"], "input") == "input[0] holds the character U+0000 at position 0"


def test_what_is_nested_too_deeply_is_refused() -> None:
    """One level above the limit is one too many, and a thousand are no crash."""
    assert unstorable(nested(MAX_DEPTH + 1)).endswith(f"is nested deeper than {MAX_DEPTH} levels")  # type: ignore[union-attr]
    assert unstorable(nested(100_000)) is not None


@given(st.text(st.characters(), max_size=8))
def test_a_text_is_storable_just_if_postgres_would_take_its_bytes(text: str) -> None:
    """Postgres text is UTF-8 without NUL."""
    encodable = "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)

    assert (unstorable(text) is None) == encodable


@given(st.text(st.characters()), st.integers(1, 50))
def test_what_is_quoted_prints_on_one_line_and_is_short(text: str, limit: int) -> None:
    """No control character, no surrogate, no megabyte gets into a message."""
    shown = plain(text, limit)

    assert shown.isprintable()
    assert len(shown) <= 10 * limit + 40


def test_a_cut_says_how_long_the_text_was() -> None:
    """The reader knows that something is missing."""
    assert quoted("x" * 1_000, 5) == "'xxxxx... (1000 characters)'"
