"""Models by step and kind of task: what a cell holds, who is ranked, and that the order of the log changes nothing."""

import random

from events.event import Message
from events.task import Step
from learning.subtasks import LEAST, Cell, cells
from tests.builders import TENANT, attempt_ended, example, submitted, superseded


def task(number: int, model: str, reward: float | None, duration_us: int = 1_000, kind: str = "ocr") -> list[Message]:
    """Return the facts of one task that a model did."""
    task_id = f"0b0f1a2e-0000-5000-8000-{number:012d}"
    steps = (Step("load", 5), Step("read", duration_us, model, cost_microusd=7))
    told = [submitted(task_id, kind=kind), attempt_ended(task_id=task_id, steps=steps)]
    return [one.fact for one in (*told, *([example(reward, task_id=task_id)] if reward is not None else []))]


def log() -> list[Message]:
    """Return tasks of two models with enough rewards, and of one with too few."""
    good = [fact for number in range(LEAST) for fact in task(number, "good", 0.8, 2_000)]
    bad = [fact for number in range(LEAST, 2 * LEAST) for fact in task(number, "bad", number % 2 / 2, 1_000)]
    new = [fact for number in range(2 * LEAST, 3 * LEAST - 1) for fact in task(number, "new", 1.0)]
    return [*good, *bad, *new]


def by_model(found: list[Cell]) -> dict[str, Cell]:
    """Return cells by model."""
    return {one.model: one for one in found}


def test_models_are_ranked_by_reward_where_enough_is_known() -> None:
    """The one with nine rewards has no rank, however good they are; means and intervals are those of a hand."""
    found = by_model(cells(log(), TENANT))

    assert {model: one.rank for model, one in found.items()} == {"good": 1, "bad": 2, "new": None}
    assert (found["bad"].n, found["bad"].rewarded, found["bad"].reward.value) == (LEAST, LEAST, 0.25)  # type: ignore[union-attr]
    assert found["bad"].reward.low < 0.25 < found["bad"].reward.high  # type: ignore[operator, union-attr]
    assert (found["good"].duration_us.value, found["good"].cost_microusd.value) == (2_000, 7)  # type: ignore[union-attr]


def test_the_order_of_the_log_changes_no_bit() -> None:
    """Shuffled, and with every fact twice."""
    facts = log() * 2
    random.Random(1).shuffle(facts)

    assert cells(facts, TENANT) == cells(log(), TENANT)


def test_the_last_reward_counts() -> None:
    """A corrected one replaces the first, wherever it stands in the log."""
    facts = task(1, "m", 1.0)
    task_id = facts[0].task_id  # type: ignore[attr-defined]
    (one,) = cells([superseded(1.0, 0.25, task_id=task_id).fact, *facts], TENANT)

    assert (one.reward.value, one.reward.low, one.rank) == (0.25, None, None)  # type: ignore[union-attr]


def test_only_what_a_model_did_is_told() -> None:
    """Steps without a model, attempts that failed, and tasks of others have no cell; kinds are apart."""
    failed = attempt_ended("failed", steps=(Step("read", 5, "m"),)).fact

    assert cells([submitted().fact, failed], TENANT) == []
    assert cells(log(), "acme") == []
    assert [(one.kind, one.step) for one in cells([*task(1, "m", None), *task(2, "m", None, kind="page")], TENANT)] == [
        ("ocr", "read"),
        ("page", "read"),
    ]
