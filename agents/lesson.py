"""Lessons: what people said was right where an agent did a task, for whoever does a like one later. Pure.

A lesson is no fact of its own: it is the correction in somebody's feedback, found by likeness of the tasks. So it has an
author (the rater), a source (the task) and a version (the revision), and is revoked by revising the feedback or by `task forget`.

What is right is told by the middle of the tasks that were corrected alike, not by the likest of them: the likest of many are
always like, so whoever was told much about one thing would be heard on all others, too. That middle is known the less surely
the fewer lessons it comes from, and looks farther away than it is; what that makes is given back in part (decision 053).
"""

import math
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from events.task import Features

CITED = 3  # lessons named for an answer, the likest ones
# Of what a middle looks too far away: 0 favours who was told much, 1 who was told little. Chosen by `bench.agents.shared`.
GIVEN_BACK = 0.65
_SHARP = 10.0  # what a difference of squared distances says in log-odds, fitted on the same seeds


class Lesson(Struct, frozen=True):
    """One correction of a past task: who said so, in which revision, whom it was said to, and how like the two tasks are."""

    task_id: str
    rater: str
    revision: int
    agent: str | None
    correction: str
    cosine: float


class Tally(Struct, frozen=True):
    """All lessons of one answer: how many, how like they are on average, the squared length of their middle, and the likest."""

    answer: str
    count: int
    cosine: float
    middle: float
    likest: tuple[Lesson, ...]


class Lessons(Protocol):
    """Where lessons are found."""

    async def near(self, tenant: str, kind: str | None, features: Features, agent: str | None, most: int) -> tuple[Tally, ...]:
        """Return by answer what was said of tasks of a kind, for the `most` answers with the likest lesson.

        `agent` None: said to whomever, else to that one.
        """
        ...


class Taught(Struct, frozen=True):
    """What lessons say: the answer, how sure that is, and the lessons that speak for it."""

    answer: str
    confidence: float
    lessons: tuple[Lesson, ...]


def taught(tallies: Sequence[Tally], given_back: float = GIVEN_BACK) -> Taught | None:
    """Return the answer whose middle is nearest; None: no lesson is like the task at all."""
    like = [one for one in tallies if one.likest and max(lesson.cosine for lesson in one.likest) > 0]
    if not like:
        return None
    spread = _spread(tallies)
    scores = {one.answer: given_back * spread / one.count - (one.middle - 2 * one.cosine) for one in like}
    best = max(sorted(scores), key=lambda answer: scores[answer])
    total = sum(math.exp(_SHARP * (score - scores[best])) for score in scores.values())
    return Taught(best, 1 / total, next(one.likest for one in like if one.answer == best))


def _spread(tallies: Sequence[Tally]) -> float:
    """Return the variance of tasks of one answer about their middle, pooled over all; vectors have length one."""
    about = sum(one.count * (1 - one.middle) for one in tallies)
    return about / max(1, sum(one.count - 1 for one in tallies))
