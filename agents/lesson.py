"""Lessons: what people said was right where an agent did a task, for whoever does a like one later. Pure.

A lesson is no fact of its own: it is the correction in somebody's feedback, found by likeness of the tasks. So it has an
author (the rater), a source (the task) and a version (the revision), and is revoked by revising the feedback or by `task forget`.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from events.task import Features

_BEST = 3  # lessons that speak for an answer: more of them make it no truer, so who was shown much does not shout others down


class Lesson(Struct, frozen=True):
    """One correction of a past task: who said so, in which revision, whom it was said to, and how like the two tasks are."""

    task_id: str
    rater: str
    revision: int
    agent: str | None
    correction: str
    cosine: float


class Lessons(Protocol):
    """Where lessons are found."""

    async def near(self, tenant: str, kind: str | None, features: Features, agent: str | None, most: int) -> tuple[Lesson, ...]:
        """Return the lessons of the likest tasks of a kind, likest first; `agent` None: of all agents, else of that one."""
        ...


class Taught(Struct, frozen=True):
    """What lessons say: the answer, its share of the likeness, and the lessons that spoke for it."""

    answer: str
    share: float
    lessons: tuple[Lesson, ...]


def taught(lessons: Sequence[Lesson]) -> Taught | None:
    """Return the answer whose best three lessons are likest; None: there are no lessons that are like it at all."""
    by: dict[str, list[Lesson]] = {}
    for one in sorted(lessons, key=lambda one: (-one.cosine, one.task_id, one.rater)):
        if one.cosine > 0 and len(by.setdefault(one.correction, [])) < _BEST:
            by[one.correction].append(one)
    sums = {answer: sum(one.cosine for one in some) for answer, some in by.items() if some}
    if not sums:
        return None
    best = max(sorted(sums), key=lambda answer: sums[answer])
    return Taught(best, sums[best] / sum(sums.values()), tuple(by[best]))
