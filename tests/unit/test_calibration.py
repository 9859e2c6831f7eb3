"""What is done again, what comes next and when it is over, and what a reference says: the pure rules of a calibration."""

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from events.calibration import Limits, Planned
from learning.information import Standing
from learning.picking import kinds_in_turn
from projections.calibration import CopyRow
from smolit.calibration.judge import canonical, judgement, request_id, same
from smolit.calibration.past import Past, Reference
from smolit.calibration.plan import planned
from smolit.calibration.rule import Calibration, Copy, Known, Over, Sums, costs_of, next_round, settled, sums
from tests.builders import context

FREE = Limits()
PLAN = Calibration(
    "cal", "default", (Planned("one", ("a", "b")), Planned("two", ("b",)), Planned("three", ("a", "b"))), FREE, "feedback"
)
STRANGERS = [Standing("a", 0, 0.0), Standing("b", 0, 0.0)]
SETTLED = [Standing("a", 9_000, 8_000.0), Standing("b", 9_000, 1_000.0)]


def copied(task: str, agent: str, **fields: Any) -> CopyRow:
    """Return a copy that was answered, judged and paid for."""
    known = {
        "outcome": "completed",
        "detail": None,
        "attempt": "completed",
        "cost_microusd": 100,
        "reward_micro": 1_000_000,
        "output": {"text": "4"},
    }
    return CopyRow(task_id=f"{task}/{agent}", copy_of=task, agent=agent, **{**known, **fields})


def following(
    copies: list[CopyRow],
    limits: Limits = FREE,
    costs: Mapping[str, float] | None = None,
    standings: list[Standing] = STRANGERS,
    size: int = 2,
    gone: tuple[str, ...] = (),
) -> list[Copy] | Over:
    """Return what comes next; agents that are gone can do nothing."""
    known = Known(copies, standings, costs or {})
    return next_round(replace(PLAN, limits=limits), known, lambda copy: copy.agent not in gone, size)


def test_kinds_take_turns() -> None:
    """The first of each kind, then the second of each; none is left out however rare it is."""
    assert kinds_in_turn("aaabac", 5) == [0, 3, 5, 1, 2]
    assert kinds_in_turn("aaabac", 99) == [0, 3, 5, 1, 2, 4]
    assert kinds_in_turn("", 3) == []


def test_a_plan_is_for_those_that_could_and_have_not() -> None:
    """Who has a reward for the text does not do it again; a task that everybody did, or nobody can judge, is left out."""
    past = [
        Past("new", "x", "law", {}, context(), frozenset({"a"})),
        Past("done", "y", "law", {}, context(), frozenset({"a", "b"})),
        Past("old", "z", None, {}, context(), frozenset()),
    ]

    def fitting(one: Past) -> tuple[str, ...]:
        return ("a", "b") if one.kind else ("b", "c")

    everybody = planned(past, fitting, None, None, 9)
    some = planned(past, fitting, {"a", "c"}, None, 9)
    judged = planned(past, fitting, None, {"new": Reference("new", {"text": "4"}, None)}, 9)

    assert [(one.task_id, one.agents) for one in everybody] == [("new", ("b",)), ("old", ("b", "c"))]
    assert [(one.task_id, one.agents) for one in some] == [("old", ("c",))]
    assert [one.task_id for one in judged] == ["new"]
    assert [one.why for one in everybody] == ["the newest of kind law, kinds in turn", "the newest"]
    assert len(planned(past, fitting, None, None, 1)) == 1


def test_rounds_follow_the_plan_and_repeat_nothing() -> None:
    """What was made is not made again, whoever asks: so a calibration that was cut off goes on where it was."""
    first = following([])
    second = following([copied("one", "a"), copied("one", "b"), copied("two", "b")])
    half = following([copied("one", "b")], size=1)
    last = following([copied(task.task_id, agent) for task in PLAN.tasks for agent in task.agents])

    assert first == [Copy("one", "a"), Copy("one", "b"), Copy("two", "b")]
    assert second == [Copy("three", "a"), Copy("three", "b")]
    assert half == [Copy("one", "a")]
    assert isinstance(last, Over)
    assert last.why == "tasks_done"


def test_an_agent_that_is_gone_is_left_out() -> None:
    """A paused agent holds nobody up; with nobody left it is over."""
    over = following([], gone=("a", "b"))

    assert following([], gone=("b",)) == [Copy("one", "a"), Copy("three", "a")]
    assert isinstance(over, Over)
    assert over.reason == "all 3 tasks are done, but for 5 copies: their agents are paused or gone, or the tasks forgotten"


def test_a_budget_is_not_exceeded_knowingly() -> None:
    """As many tasks as it is expected to pay for, then none; what agents say they cost goes before what they cost before."""
    costs = {"a": 100.0, "b": 300.0}

    both, one, none = (following([], Limits(budget_microusd=budget), costs) for budget in (700, 699, 399))

    assert both == [Copy("one", "a"), Copy("one", "b"), Copy("two", "b")]
    assert one == [Copy("one", "a"), Copy("one", "b")]
    assert isinstance(none, Over)
    assert (none.why, "0 dollars of 0.000399 dollars are spent" in none.reason) == ("budget_spent", True)
    assert costs_of([copied("one", "a"), copied("two", "a", cost_microusd=300)], costs) == {"a": 200.0, "b": 300.0}
    assert costs_of([copied("one", "a", cost_microusd=None)], {}) == {}


def test_an_agent_whose_price_nobody_knows_is_tried_on_one_task_first() -> None:
    """It is taken for as dear as the dearest; after a copy its price is known, or it is one that says none."""
    costs, budget = {"a": 100.0}, Limits(budget_microusd=1_000)

    first = following([], budget, costs)
    dear = following([], Limits(budget_microusd=199), costs)
    silent = following([copied("one", "a"), copied("one", "b", cost_microusd=None)], budget, costs)

    assert first == [Copy("one", "a"), Copy("one", "b")]
    assert isinstance(dear, Over)
    assert silent == [Copy("two", "b"), Copy("three", "a"), Copy("three", "b")]


def test_it_ends_where_nothing_is_to_be_learned_for_the_money() -> None:
    """Known agents are not tried again for money; where copies cost nothing, or nobody said what a reward is worth, they are."""
    worth, costs = Limits(worth_microusd=10_000), {"a": 100.0, "b": 100.0}

    over = following([], worth, costs, SETTLED)

    assert isinstance(over, Over)
    assert over.why == "not_worth_it"
    assert "no further task is worth its cost" in over.reason
    assert isinstance(following([], worth, costs, STRANGERS), list)
    assert isinstance(following([], worth, {}, SETTLED), list)
    assert isinstance(following([], FREE, costs, SETTLED), list)


def test_sums_count_what_is_known() -> None:
    """A cost that nobody said is not zero, it is not counted; an unjudged copy is a copy."""
    copies = [copied("one", "a"), copied("one", "b", cost_microusd=None), copied("two", "b", reward_micro=None)]

    assert sums(copies) == Sums(copies=3, judged=2, cost_microusd=200, costed=2)


@pytest.mark.parametrize(
    ("fields", "over"),
    [
        ({}, True),
        ({"reward_micro": None}, False),
        ({"reward_micro": None, "outcome": None}, False),
        ({"reward_micro": None, "outcome": "failed", "attempt": "failed"}, False),
        ({"reward_micro": 0, "outcome": "failed", "attempt": "failed"}, True),
        ({"reward_micro": None, "outcome": "failed", "attempt": None}, True),
        ({"reward_micro": None, "outcome": "expired", "attempt": "abandoned"}, True),
        ({"reward_micro": 0, "outcome": None}, False),
    ],
)
def test_a_copy_is_waited_for_until_nothing_more_is_to_come(fields: dict[str, Any], over: bool) -> None:
    """An answer wants a judgement, a failure has its reward by rule, what nobody did has none."""
    assert settled(copied("one", "a", **fields)) is over


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ({"text": "4", "cost_microusd": 3}, {"text": "4", "cost_microusd": 9}, True),
        ({"text": "4"}, {"text": "5"}, False),
        ({"value": 4}, {"text": "4"}, True),
        ({"a": 1, "b": [1.0, True]}, {"b": [1, True], "a": 1, "cost_microusd": 7}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"a": "1"}, False),
        (None, {"text": "4"}, False),
    ],
)
def test_answers_are_the_same_whatever_is_said_beside_them(one: Any, other: Any, alike: bool) -> None:
    """The text is compared where there is one, else the JSON: no order of fields, no cost, no way to write a number."""
    assert same(one, other) is same(other, one) is alike
    assert canonical({"b": 1, "a": 2.0}) == b'{"a":2,"b":1}'


def test_a_reference_judges_as_a_person_would_have() -> None:
    """Right or wrong by an answer that was rated 1; by a correction as a correction, unless the two are the very same."""
    rated, corrected = Reference("one", {"text": "4"}, None), Reference("one", None, "it is 4")

    said = [judgement(copied("one", "a", output={"text": text}), rated) for text in ("4", "5")]
    near, equal, none = (
        judgement(copied("one", "a", output=output), corrected) for output in ({"text": "it is 5"}, "it is 4", {"sum": 4})
    )

    assert [(one.kind, one.value, one.rater) for one in said] == [
        ("boolean", 1.0, "calibration"),
        ("boolean", 0.0, "calibration"),
    ]
    assert (near.kind, near.correction, near.value) == ("correction", "it is 4", None)
    assert (equal.kind, equal.value) == ("boolean", 1.0)
    assert (none.kind, none.value) == ("boolean", 0.0)
    assert request_id(copied("one", "a")) == request_id(copied("one", "a")) != request_id(copied("one", "b"))
