"""Lessons: what they say together, and that sharing them helps where tasks are related."""

from time import perf_counter
from typing import Any

import pytest

from agents.errors import AgentFailed
from agents.lesson import Lesson, Taught, taught
from agents.pipeline import Work
from agents.pipelines.taught import Taught as Pipeline
from agents.pipelines.taught import TaughtSettings
from bench.agents.shared import asked
from tests.builders import features, moment
from tests.contract.test_agents import PlainEffects, toolbox


def lesson(answer: str, cosine: float, task: str = "t") -> Lesson:
    """Return a lesson."""
    return Lesson(task, "ann", 0, "b", answer, cosine)


def test_the_likest_lessons_speak_and_no_more_than_three_for_one_answer() -> None:
    """Who was told a thing often is not louder than who was told a liker one; what is unlike says nothing."""
    many = [lesson("law", 0.3, f"t{number}") for number in range(9)]

    told = taught([*many, lesson("math", 0.95)])

    assert told is not None
    assert (told.answer, told.lessons) == ("math", (lesson("math", 0.95),))
    assert told.share == pytest.approx(0.95 / (0.95 + 3 * 0.3))
    assert taught([]) is None
    assert taught([lesson("law", 0.0), lesson("math", -0.2)]) is None
    assert taught(many) == Taught("law", 1.0, tuple(many[:3]))


async def test_an_agent_that_shares_asks_for_everybodys_lessons_and_one_that_does_not_for_its_own() -> None:
    """Whom lessons were said to is a filter, and nothing else differs."""
    heard: list[Any] = []

    class Told:
        async def near(self, *said: Any) -> tuple[Lesson, ...]:
            heard.append(said[3])
            return (lesson("law", 0.5),)

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


def test_what_a_was_told_raises_b_on_related_tasks() -> None:
    """On real questions, by more than chance explains; what it does to others is measured by the bench and told in the docs."""
    related = [one for one in asked(seed=2) if one.related]
    gains = [one.shared - one.alone for one in related]
    mean = sum(gains) / len(gains)
    error = (sum((gain - mean) ** 2 for gain in gains) / len(gains) / (len(gains) - 1)) ** 0.5

    assert mean - 1.96 * error > 0.05
