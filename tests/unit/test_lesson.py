"""Lessons: what they say together, and that sharing them helps where tasks are related."""

from time import perf_counter
from typing import Any

import pytest

from agents.errors import AgentFailed
from agents.lesson import Lesson, Tally, taught
from agents.pipeline import Work
from agents.pipelines.taught import Taught as Pipeline
from agents.pipelines.taught import TaughtSettings
from bench.agents.shared import BEFORE, RULES, SERVES, Asked, encoded, measured
from tests.builders import features, moment
from tests.contract.test_agents import PlainEffects, toolbox


def lesson(answer: str, cosine: float, task: str = "t") -> Lesson:
    """Return a lesson."""
    return Lesson(task, "ann", 0, "b", answer, cosine)


def tally(answer: str, count: int, cosine: float, middle: float, likest: float | None = None) -> Tally:
    """Return all lessons of an answer; the likest is as like as all are on average, if nothing else is said."""
    return Tally(answer, count, cosine, middle, (lesson(answer, cosine if likest is None else likest),))


def test_the_nearest_middle_speaks_whoever_was_told_how_much() -> None:
    """A hundred lessons have a likest one that is like anything; what they are like as a whole is what counts."""
    much, little = tally("law", 100, 0.2, 0.25, likest=0.9), tally("math", 4, 0.4, 0.4)

    told = taught([much, little])

    assert told is not None
    assert (told.answer, told.lessons) == ("math", little.likest)
    assert 0.5 < told.confidence < 1


def test_a_middle_of_few_lessons_is_given_back_a_part_of_what_it_looks_too_far_away() -> None:
    """Two answers whose true middles are alike near: by plain distance many lessons win, by all given back few do."""
    much, little = tally("law", 50, 0.30, 0.30), tally("math", 2, 0.40, 0.62)

    assert [found.answer for share in (0.0, 1.0) if (found := taught([much, little], share))] == ["law", "math"]


def test_what_is_unlike_says_nothing_and_single_lessons_are_compared_by_likeness() -> None:
    """Nothing is answered out of lessons that point elsewhere; of answers with one lesson each the likest counts."""
    assert taught([]) is None
    assert taught([tally("law", 1, 0.0, 1.0), tally("math", 1, -0.2, 1.0)]) is None
    single = taught([tally("law", 1, 0.3, 1.0), tally("math", 1, 0.5, 1.0), tally("art", 1, -0.5, 1.0)])
    assert single is not None
    assert single.answer == "math"


async def test_an_agent_that_shares_asks_for_everybodys_lessons_and_one_that_does_not_for_its_own() -> None:
    """Whom lessons were said to is a filter, and nothing else differs."""
    heard: list[Any] = []

    class Told:
        async def near(self, *said: Any) -> tuple[Tally, ...]:
            heard.append(said[3])
            return (tally("law", 1, 0.5, 1.0),)

    tools = toolbox()
    tools = type(tools)(tools.root, tools.hosts, tools.http, tools.recordings, lessons=Told())
    work = Work("t", "task", 1, "pupil", "topic", "x", {}, moment(9), features=features())
    for shared in (True, False):
        result = await Pipeline(TaughtSettings(shared=shared), tools).run(work, PlainEffects(), perf_counter)

    assert heard == [None, "pupil"]
    assert result.output["answer"] == "law"
    with pytest.raises(AgentFailed, match="no_lessons"):
        await Pipeline(TaughtSettings(), type(tools)(tools.root, tools.hosts, tools.http, tools.recordings)).run(
            work, PlainEffects(), perf_counter
        )


def test_what_a_was_told_raises_b_on_related_tasks_and_costs_others_nothing() -> None:
    """On real questions, seeds that chose nothing: related ones gain, others lose nothing; the rule before cost them much."""
    vectors, seeds = encoded(), range(201, 207)

    (related, others), (_, before) = (measured(RULES[name], seeds, vectors) for name in (SERVES, BEFORE))

    assert mean(related) - 1.96 * error(related) > 0.03
    assert mean(others) > -0.02
    assert mean(before) + 1.96 * error(before) < -0.1


def mean(some: list[Asked]) -> float:
    """Return what sharing brings on average."""
    return sum(one.shared - one.alone for one in some) / len(some)


def error(some: list[Asked]) -> float:
    """Return how sure that is: the error of the mean over seeds."""
    middle = mean(some)
    return (sum((one.shared - one.alone - middle) ** 2 for one in some) / len(some) / (len(some) - 1)) ** 0.5
