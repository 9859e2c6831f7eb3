"""Who is judged, and what the mean would be had all been judged: where it is set right, and where it cannot be."""

import random
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from events.event import Fact
from events.task import Candidate
from learning.errors import StatisticError
from learning.rating import FEWEST, AgentReward, Ratings, Stratum, agent_rewards, stratum_of, weighted_mean
from learning.statistics import Interval
from tests.builders import SCOPE, TENANT, attempt_ended, chosen, context, example, superseded

LOGS, ATTEMPTS = 150, 600


class Case(NamedTuple):
    """One attempt of a made-up world: what kind of task, how it went, and whether somebody said so."""

    kind: str
    outcome: str
    reward: float
    judged: bool


World = Callable[[random.Random], Case]


def by_kind(rng: random.Random) -> Case:
    """Half the tasks are hard and make people unhappy; of these a half is judged, of the others a tenth. True mean: .6."""
    hard = rng.random() < 0.5
    return Case(
        "hard" if hard else "easy",
        "completed",
        float(rng.random() < (0.3 if hard else 0.9)),
        rng.random() < (0.5 if hard else 0.1),
    )


def with_failures(rng: random.Random) -> Case:
    """A fifth fails, which is known at once; of the others, .9 good, a tenth is judged. True mean: .72."""
    failed = rng.random() < 0.2
    good = float(not failed and rng.random() < 0.9)
    return Case("any", "failed" if failed else "completed", good, failed or rng.random() < 0.1)


def by_outcome(rng: random.Random) -> Case:
    """The unhappy themselves speak: of bad answers a half is judged, of good ones a tenth. True mean: .6."""
    kind, chance = rng.choice((("hard", 0.3), ("easy", 0.9)))
    good = rng.random() < chance
    return Case(kind, "completed", float(good), rng.random() < (0.1 if good else 0.5))


def facts_of(world: World, rng: random.Random, count: int = ATTEMPTS) -> list[Fact]:
    """Return what a log would hold of so many attempts."""
    facts: list[Fact] = []
    for number in range(count):
        case, task = world(rng), f"task-{number}"
        facts.append(chosen(task_id=task, context=context(kind=case.kind)).fact)
        facts.append(attempt_ended(case.outcome, task_id=task).fact)
        if case.judged:
            facts.append(example(case.reward, task_id=task).fact)
    return facts


def folded(facts: list[Fact]) -> Ratings:
    """Return the fold of facts."""
    ratings = Ratings()
    for fact in facts:
        ratings.take_in(fact)
    return ratings


def earned(facts: list[Fact]) -> AgentReward:
    """Return what the one agent of a log earned."""
    (found,) = agent_rewards(folded(facts).tried().values())
    return found


def means(world: World, logs: int = LOGS) -> list[tuple[Interval, Interval]]:
    """Return both means of many logs: of the judged, and weighted."""
    found = []
    for seed in range(logs):
        one = earned(facts_of(world, random.Random(seed)))
        assert one.judged_mean is not None
        assert one.weighted_mean is not None
        found.append((one.judged_mean, one.weighted_mean))
    return found


def held(intervals: list[Interval], truth: float) -> float:
    """Return the share of intervals that hold the truth."""
    return sum(one.low <= truth <= one.high for one in intervals) / len(intervals)


@pytest.mark.parametrize(("world", "truth"), [(by_kind, 0.6), (with_failures, 0.72)])
def test_the_weighted_mean_is_right_where_the_plain_one_is_not(world: World, truth: float) -> None:
    """Where what is known tells who speaks, the plain mean misses the truth and the weighted one's interval holds it."""
    plain, weighted = (list(column) for column in zip(*means(world), strict=True))

    assert held(plain, truth) < 0.05
    assert held(weighted, truth) >= 0.91
    assert abs(sum(one.value for one in weighted) / LOGS - truth) < 0.01
    assert sum(one.value for one in plain) / LOGS < truth - 0.1


def test_it_does_not_help_where_nothing_tells_who_speaks() -> None:
    """Where the worse of two attempts that look alike is judged more often, both means are too low, the weighted one by less."""
    plain, weighted = (list(column) for column in zip(*means(by_outcome, 40), strict=True))

    assert held(weighted, 0.6) < 0.05
    assert all(one.value < other.value < 0.6 for one, other in zip(plain, weighted, strict=True))


def test_weights_are_those_of_the_strata() -> None:
    """By hand: 10 of 20 easy ones judged 1, 5 of 20 hard ones judged 0, and one failure: (20 x 1 + 20 x 0 + 0) / 41."""
    facts: list[Fact] = []
    for number in range(40):
        task, easy = f"task-{number}", number < 20
        facts += [chosen(task_id=task, context=context(kind="easy" if easy else "hard")).fact, attempt_ended(task_id=task).fact]
        if number < 10 or 20 <= number < 25:
            facts.append(example(float(easy), task_id=task).fact)
    facts += [chosen(task_id="f").fact, attempt_ended("failed", task_id="f").fact, example(0.0, task_id="f").fact]

    found = earned(facts)

    assert (found.completed, found.failed, found.judged, found.judged_share, found.unheard) == (40, 1, 15, 15 / 40, 0.0)
    assert found.judged_mean is not None
    assert found.weighted_mean is not None
    assert found.judged_mean.value == 10 / 16
    assert found.weighted_mean.value == pytest.approx(20 / 41)


def test_small_strata_are_looked_at_together() -> None:
    """Below the fewest judged a kind does not speak for itself; what nobody judged at all is told as unheard."""
    facts: list[Fact] = []
    for number in range(8):
        task = f"task-{number}"
        facts += [chosen(task_id=task, context=context(kind=f"kind-{number}")).fact, attempt_ended(task_id=task).fact]
        if number < FEWEST - 1:
            facts.append(example(1.0, task_id=task).fact)
    alone = [chosen("silent", task_id="x").fact, attempt_ended(agent="silent", task_id="x").fact]

    first, silent = agent_rewards(folded([*facts, *alone]).tried().values())

    assert {one.chance for one in folded(facts).tried().values()} == {0.5}
    assert (first.unheard, silent.unheard, silent.judged_mean, silent.weighted_mean) == (0.0, 1.0, None, None)


def test_the_order_of_facts_plays_no_part() -> None:
    """Facts of two topics come in any order, and twice; the reward in force is the last revision."""
    facts = facts_of(by_kind, random.Random(1), 60)
    facts += [chosen(task_id="t").fact, attempt_ended(task_id="t").fact, superseded(1.0, 0.25, task_id="t").fact]
    facts += [example(1.0, task_id="t").fact, chosen(task_id="gone").fact, attempt_ended("abandoned", task_id="gone").fact]

    shuffled = random.Random(2).sample([*facts, *facts], k=2 * len(facts))
    found = folded(facts).tried()

    assert folded(shuffled).tried() == found
    assert found[TENANT, "t", 1].reward == 0.25
    assert (TENANT, "gone", 1) not in found


@pytest.mark.parametrize(("score", "fifth"), [(-0.5, 0), (0.0, 0), (0.19, 0), (0.2, 1), (0.99, 4), (1.0, 4), (7.0, 4)])
def test_a_stratum_is_agent_kind_and_fifth_of_the_score(score: float, fifth: int) -> None:
    """Scores outside 0 to 1 lie in the outer fifths."""
    candidates: Any = (Candidate("other", 0.5, {}, 0.25), Candidate("calculator", score, {}, 0.75))
    choice: Any = chosen(candidates=candidates, context=context(kind=None)).fact

    assert stratum_of(choice) == Stratum(TENANT, SCOPE, "calculator", "", fifth)


def test_too_few_rewards_have_no_interval() -> None:
    """One reward says nothing of how far off it may be."""
    with pytest.raises(StatisticError):
        weighted_mean([1.0], [0.5])
    with pytest.raises(StatisticError):
        weighted_mean([], [])


def test_what_was_asked_of_an_agent_by_name_says_nothing_of_who_is_judged() -> None:
    """Copies for a calibration are all judged; beside what came by itself they would make everybody look heard."""
    free, named = context(), context(agent="calculator")
    ratings = Ratings()
    for number, seen in enumerate((free, free, named)):
        task = f"task-{number}"
        ratings.take_in(chosen(task_id=task, context=seen).fact)
        ratings.take_in(attempt_ended(task_id=task).fact)
    ratings.take_in(example(task_id="task-2").fact)

    (found,) = agent_rewards(ratings.tried().values())

    assert (found.completed, found.judged) == (2, 0)
