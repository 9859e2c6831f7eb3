"""Who is best at what: figures by hand, ranks only where there are enough, and the same from any order of the log."""

import random
from typing import Any

import pytest

from events.event import Message
from learning.subtask import WITHOUT, Tried, cells, tried
from tests.builders import attempt_ended, example, submitted, superseded


def story(
    task: str, agent: str, reward: float | None, kind: str | None = "law", outcome: str = "completed", **more: Any
) -> list[Message]:
    """Return the facts of one task with one attempt."""
    facts = [submitted(task, kind=kind), attempt_ended(outcome, agent, task, duration_us=2_000, steps=(), **more)]
    facts += [] if reward is None else [example(reward, agent, task)]
    return [event.fact for event in facts]


def test_a_cell_has_what_a_hand_reckons() -> None:
    """Two judged attempts of three, one that failed, one cost known."""
    facts = [
        *story("t1", "ann", 1.0, cost_microusd=30),
        *story("t2", "ann", 0.5),
        *story("t3", "ann", None, outcome="failed", error="x"),
        *story("t4", "ann", 0.0, outcome="abandoned", error="x"),
    ]

    (cell,) = cells(tried(facts, "default"), 2)

    assert (cell.subtask, cell.agent, cell.attempts, cell.judged, cell.rank) == ("law", "ann", 3, 2, 1)
    assert cell.success.value == pytest.approx(2 / 3)
    assert cell.reward is not None
    assert cell.reward.value == pytest.approx(0.75)
    assert (cell.mean_duration_us, cell.mean_cost_microusd) == (2_000, 30)


def test_too_few_are_not_ranked() -> None:
    """Nine of ten needed: figures, and no rank; whoever has enough is ranked without them."""
    few = [Tried("law", "new", True, 1, None, 1_000_000)] * 9
    many = [Tried("law", "old", True, 1, None, 500_000 + turn) for turn in range(10)]

    found = cells([*few, *many], 10)

    assert [(cell.agent, cell.rank) for cell in found] == [("old", 1), ("new", None)]


def test_each_kind_has_its_own_best() -> None:
    """Who leads at one kind may be last at the other, and leads clearly where intervals do not meet."""
    at = {("law", "ann"): 900_000, ("law", "bob"): 100_000, ("math", "ann"): 400_000, ("math", "bob"): 410_000}
    attempts = [
        Tried(kind, who, True, 1, None, mean + turn % 7 * 10_000) for (kind, who), mean in at.items() for turn in range(30)
    ]

    found = cells(attempts, 10)

    assert [(cell.subtask, cell.agent, cell.rank, cell.clear) for cell in found] == [
        ("law", "ann", 1, True),
        ("law", "bob", 2, False),
        ("math", "bob", 1, False),
        ("math", "ann", 2, False),
    ]


def test_a_corrected_reward_counts_as_corrected() -> None:
    """In whatever order the two facts come."""
    facts = [*story("t1", "ann", 1.0), superseded(1.0, 0.25, "ann", "t1").fact, *story("t2", "ann", 0.25)]

    for shown in (facts, facts[::-1]):
        (cell,) = cells(tried(shown, "default"), 2)
        assert cell.reward is not None
        assert cell.reward.value == pytest.approx(0.25)


def test_the_same_log_says_the_same_in_any_order_and_twice() -> None:
    """Repeated facts count once, and partitions may be read in any order."""
    facts = [fact for turn in range(40) for fact in story(f"t{turn}", "ab"[turn % 2], turn % 3 / 2, ("law", None)[turn % 4 // 2])]
    shuffled = [*facts, *facts[:30]]
    random.Random(4).shuffle(shuffled)

    found = cells(tried(facts, "default"), 5)

    assert cells(tried(shuffled, "default"), 5) == found
    assert {cell.subtask for cell in found} == {"law", WITHOUT}
    assert cells(tried(facts, "other"), 5) == []
