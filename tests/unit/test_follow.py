"""Follow-ups: a turn that only makes sense after the task before is made whole; one that stands by itself is left alone."""

import pytest

from agents.front.decide import Do, Talk, decide
from agents.front.follow import Before, followed
from tests.unit.test_front import TALK, turn

SUM = Before("What is 12 * 7?", "arithmetic", "84", "84")
LOAN = Before("What is the monthly payment on a loan of 9000 at 4 percent over 36 months?", "finance", "{...}")
MOOD = Before("Is this good or bad: it broke", "sentiment", "negative")
NAMES = Before("Find the names in: Marie Curie moved to Paris", "entities", "{...}")
POEM = Before("Write a verse about rain", "assistant", "Rain, rain.")


@pytest.mark.parametrize(
    ("text", "before", "whole"),
    [
        ("and plus 3?", SUM, "(84) + 3"),
        ("times two", SUM, "(84) * 2"),
        ("Now divide that by 4", SUM, "(84) / 4"),
        ("And if you take away 4,5", SUM, "(84) - 4.5"),
        ("Und mal 3?", SUM, "(84) * 3"),
        ("minus 10", SUM, "(84) - 10"),
        ("And over 48 months?", LOAN, LOAN.text.replace("36 months", "48 months")),
        ("what if it is 5 % over 1 month", LOAN, "What is the monthly payment on a loan of 9000 at 5 percent over 1 months?"),
        ("And this one: lovely staff", MOOD, "Is this good or bad: lovely staff"),
        ("double it", SUM, "(84) * 2"),
        ("No, I meant times 9", Before("What is 12 times 7?", "arithmetic", "84", "84"), "What is 12 times 9?"),
        ("the same with 15 instead of 7", SUM, "What is 12 * 15?"),
        ("sorry, I meant 5 percent", LOAN, LOAN.text.replace("4 percent", "5 percent")),
        ("And in May?", Before("What were the sales in April?", "table", "3"), "What were the sales in May?"),
        ("Which of those are cities?", NAMES, "Which of those are cities: Marie Curie moved to Paris"),
        (
            "More formal, please",
            POEM,
            "First I asked: Write a verse about rain\nThe answer was: Rain, rain.\nNow: More formal, please",
        ),
        ("Make it shorter", POEM, "First I asked: Write a verse about rain\nThe answer was: Rain, rain.\nNow: Make it shorter"),
    ],
)
def test_a_follow_up_is_made_whole(text: str, before: Before, whole: str) -> None:
    """With the result, another number of the same unit, another text, or what was said before."""
    assert followed(text, before) == whole


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("What is 3 + 4?", SUM),
        ("3 times 4", SUM),
        ("and what is 3 * 4 + 5?", SUM),
        ("Thanks a lot", SUM),
        ("And how are you?", SUM),
        ("and 20 apples?", LOAN),
        ("Please classify: it rains", MOOD),
        ("And what do you think?", POEM),
        ("That will do", POEM),
        ("the same with 15 instead of 70", SUM),
        ("And in May?", LOAN),
        ("no, I meant it", SUM),
        ("Write a verse about snow", POEM),
        ("and " + "word " * 20 + "plus 3", SUM),
    ],
)
def test_what_stands_by_itself_is_left_alone(text: str, before: Before) -> None:
    """An expression of its own, thanks, a unit that was not there, another question."""
    assert followed(text, before) is None


def test_a_follow_up_goes_to_the_same_kind_of_agent() -> None:
    """Also where the words alone would be taken for talk; with no task before it they are."""
    assert decide(turn("and plus 3?", TALK, before=SUM)) == Do("(84) + 3", "arithmetic")
    assert decide(turn("and plus 3?", TALK)) == Talk("and plus 3?")
