"""Days in texts: one reader for checks, claims and entities."""

from datetime import date

import pytest

from agents.day import day_of, days_in, without_days

_DAY = date(2024, 3, 14)


@pytest.mark.parametrize(
    "text",
    [
        *("2024-03-14", "14.03.2024", "14. 3. 2024", "3/14/2024", "14/3/2024", "14 March 2024", "14th of March 2024"),
        *("14. März 2024", "March 14, 2024", "Mar. 14th 2024", " 2024-03-14T10:00:00Z ", "2024-03-14 10:00"),
    ],
)
def test_a_day_is_read_in_each_form(text: str) -> None:
    """English and German, with a time of day behind it."""
    assert day_of(text) == _DAY


@pytest.mark.parametrize(
    "text", ["", "soon", "2024-02-30", "14.13.2024", "x 2024-03-14", "14.03.24", "2024-03-14x", "12024-03-14"]
)
def test_what_is_no_day_is_none(text: str) -> None:
    """Days that no calendar has, years of two digits, and texts that have more than a day in them."""
    assert day_of(text) is None


def test_days_stand_where_they_are_found_in_the_order_of_the_text() -> None:
    """Of an ambiguous one the first number is the month; what has the form of a day is taken out, existing or not."""
    text = "due 14 March 2024, paid 2024-02-01, seen 03/04/2024, never 2024-02-30, 7 items"

    assert [(text[one.start : one.end], one.day.isoformat()) for one in days_in(text)] == [
        ("14 March 2024", "2024-03-14"),
        ("2024-02-01", "2024-02-01"),
        ("03/04/2024", "2024-03-04"),
    ]
    assert without_days(text).split() == ["due", ",", "paid", ",", "seen", ",", "never", ",", "7", "items"]
