"""What was told is recalled, however much was said since; and what is near to a question is found by its meaning."""

from datetime import UTC, datetime

from agents.front.recollect import Memory, recollect
from agents.front.words import NOTHING_KNOWN
from bench.agents.capability import measure as who_can
from bench.agents.memory import measure

_AT = datetime(2026, 1, 2, tzinfo=UTC)
HOME = Memory("m1", "home", "I live in Oslo", _AT, 0.1)
CAT = Memory("m2", "my:cat", "My cat is called Rex", _AT, 0.6)


def test_planted_facts_are_recalled_after_a_hundred_turns() -> None:
    """Far above what the last turns alone have; the newer of two that contradict each other wins mostly."""
    figures = {one.metric: one for one in measure(seed=3)}
    long = figures["planted facts recalled after 100 later turns"]

    assert long.value.low > 0.8
    assert long.baseline_value is not None
    assert long.baseline_value.value < 0.1
    assert figures["the newer of two contradicting facts is answered"].value.value >= 0.75


def test_a_question_is_answered_by_what_it_names_or_by_what_is_near() -> None:
    """Else it is not known; and who asks for everything is told everything."""
    known = [CAT, HOME]

    assert recollect("Where do I live?", known, [CAT])[0] == [HOME]
    assert recollect("Who is Rex of mine?", known, [CAT])[0] == [CAT]
    assert recollect("What is my shoe size?", known, [HOME]) == ([], NOTHING_KNOWN)
    assert recollect("What do you know about me?", known, [])[0] == known
    assert recollect("What do you know about me?", [], []) == ([], NOTHING_KNOWN)


def test_who_can_do_something_is_found_better_than_by_keywords() -> None:
    """By F1 on labelled queries, some of them for nobody, that the threshold was not chosen on."""
    found = {one.metric: one for one in who_can(seed=1)}["who can, F1"]

    assert found.baseline_value is not None
    assert found.value.value > found.baseline_value.value + 0.05
