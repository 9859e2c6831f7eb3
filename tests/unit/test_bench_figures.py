"""The figures of benches: middles, slopes, and a made-up history that looks like the demo's."""

from collections import Counter

import pytest

from bench.spread import middle, slope
from bench.story import FACTS, Stories
from events.task import TaskEnded, TaskSubmitted
from learning.outcomes import Outcome, Outcomes, Prompt

OUTCOMES = Outcomes(
    tuple(Prompt(f"p{number}", "law", f"Question {number}?") for number in range(3)),
    ("anna", "bert"),
    {(f"p{number}", model): Outcome(0.5, 0.001) for number in range(3) for model in ("anna", "bert")},
)


def test_a_middle_lies_within_its_interval() -> None:
    """The median is one of the values, and the interval is made of them."""
    found = middle([1.0, 2.0, 3.0, 4.0, 100.0])

    assert found.value == 3.0
    assert 1.0 <= found.low <= found.value <= found.high <= 100.0


def test_a_slope_is_found_with_its_interval() -> None:
    """A straight line gives its slope, a flat one none, and so does a single place."""
    assert slope([(x, 2.0 * x + 1) for x in range(9)]).value == pytest.approx(2.0)
    assert slope([(x, 5.0) for x in range(9)]).high == pytest.approx(0.0)
    assert slope([(1.0, 2.0), (1.0, 3.0)]).value == 0.0


def test_every_task_has_all_of_its_facts_in_order_and_many_are_under_way() -> None:
    """A history interleaves its tasks, and leaves none of their facts out."""
    events = list(Stories(OUTCOMES).history(0, 20, in_flight=5))

    stories = Counter(event.envelope.correlation_id for event in events)
    open_, most = set[str](), 0
    for event in events:
        open_ |= {event.fact.task_id} if isinstance(event.fact, TaskSubmitted) else set()
        most = max(most, len(open_))
        open_ -= {event.fact.task_id} if isinstance(event.fact, TaskEnded) else set()
    assert set(stories.values()) == {FACTS}
    assert len(stories) == 20
    assert most >= 5


def test_the_same_number_gives_the_same_facts() -> None:
    """A history can be made again, and two of different names share no id."""
    assert Stories(OUTCOMES).life(7) == Stories(OUTCOMES).life(7)
    assert Stories(OUTCOMES).life(7)[0].id != Stories(OUTCOMES, "other").life(7)[0].id
