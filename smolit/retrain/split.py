"""From history to rows: those that a network is trained on, those that stop it, and the choices it is judged by. Pure.

Everything is split by time, at one example of the scope: rows know what was known by then, corrections that came later are not in
them; judged is by choices that were made when all of that was known.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from learning.errors import LearningError
from learning.features import ContextMap
from smolit.retrain.history import Attempt, History, Lesson
from training.job import TARGETS, Job, Rows, Words, pack

FEWEST = 200  # judged attempts in a range
VALIDATION = 0.15  # of the rows, the latest of them
SUCCEEDED = 0.5  # the least reward of an attempt that counts as a success

Bound = int | datetime | None  # an offset of the scope's learning partition, a time, or all there is


class TooFewRows(LearningError):
    """A range holds fewer judged attempts than a network can be trained on."""


class Range(Struct, frozen=True):
    """Which examples are looked at, the first included and the last not; `held_out` is the share, the latest, that judges."""

    first: Bound = None
    last: Bound = None
    held_out: float = 0.25

    def holds(self, lesson: Lesson) -> bool:
        """Whether an example lies within."""
        after = self.first is None or _at(lesson, self.first) >= self.first  # type: ignore[operator]  # of one kind, see _at
        return after and (self.last is None or _at(lesson, self.last) < self.last)  # type: ignore[operator]


class Split(NamedTuple):
    """`cut` is the last example that rows know, `start` the first, `end` the last of all; `judging` are choices made after it."""

    start: Lesson
    cut: Lesson
    end: Lesson
    training: Sequence[Attempt]
    judging: Sequence[Attempt]
    rewards: dict[tuple[str, int], float]  # of `training`, as known at the cut
    outcomes: dict[tuple[str, int], float]  # of `judging`, as known at the end


def split(known: History, wanted: Range) -> Split:
    """Split a history; raises TooFewRows, which says how many it takes."""
    within = [lesson for lesson in known.lessons if wanted.holds(lesson)]
    judged = sum(lesson.first for lesson in within)
    if judged < FEWEST:
        told = f", beside {known.elsewhere} chosen through another context map" if known.elsewhere else ""
        raise TooFewRows(f"{judged} judged attempts lie in the range{told}; it takes {FEWEST} to train a network")
    cut = within[max(0, int(len(within) * (1.0 - wanted.held_out)) - 1)]
    start, end = within[0], within[-1]
    rewards = _rewards(within, cut.sequence)
    training = [one for one in known.attempts if one.key in rewards or _unjudged(one, start, cut)]
    judging = [one for one in known.attempts if cut.offset <= one.choice.policy.upto <= end.offset]
    known_at_end = _rewards(within, end.sequence)
    outcomes = {one.key: known_at_end[one.key] for one in judging if one.key in known_at_end}
    return Split(start, cut, end, training, judging, rewards, outcomes)


def job_of(found: Split, used: ContextMap, words: Words) -> tuple[Job, bytes]:
    """Return what is to be trained, and its rows; the same split and words give the same bytes.

    Raises:
        TooFewRows: all rows are of one agent.
    """
    agents = tuple(sorted({one.choice.agent for one in found.training}))
    if len(agents) < 2:
        raise TooFewRows(f"all rows are of the agent {agents[0]}; it takes two agents to choose between")
    rows, duration = _rows(found, used, agents)
    table = pack(rows)
    judged = rows.targets[rows.known[:, 0], 0]
    job = Job(
        words=words,
        context_map=used.digest,
        width=used.width,
        agents=agents,
        mean=float(judged.mean()),
        duration=duration,
        table_sha256=hashlib.sha256(table).hexdigest(),
    )
    return job, table


def targets_of(one: Attempt, reward: float | None) -> tuple[float | None, float | None, float | None]:
    """Return reward, success and log(1 + milliseconds) of an attempt, each None where it is not known.

    A success is an attempt that was completed and judged worth half a reward or more; one that failed is none, judged or not. How
    long an attempt would have taken that failed is not known.
    """
    if one.ended is None:
        return reward, None, None
    if one.ended.outcome != "completed":
        return reward, None if one.ended.outcome == "abandoned" else 0.0, None
    success = None if reward is None else float(reward >= SUCCEEDED)
    return reward, success, float(np.log1p(one.ended.duration_us / 1000.0))


def _rows(found: Split, used: ContextMap, agents: Sequence[str]) -> tuple[Rows, tuple[float, float]]:
    targets = [targets_of(one, found.rewards.get(one.key)) for one in found.training]
    known = np.array([[each is not None for each in row] for row in targets], dtype=np.bool_)
    filled = np.array([[each or 0.0 for each in row] for row in targets], dtype=np.float64)
    validation = np.arange(len(targets)) >= int(len(targets) * (1.0 - VALIDATION))
    last = len(TARGETS) - 1
    spans = filled[known[:, last] & ~validation, last]
    duration = (float(spans.mean()), max(float(spans.std()), 1e-3)) if len(spans) else (0.0, 1.0)
    filled[:, last] = np.where(known[:, last], (filled[:, last] - duration[0]) / duration[1], 0.0)
    rows = Rows(
        contexts=np.array([context_of(one, used) for one in found.training]),
        agents=np.array([agents.index(one.choice.agent) + 1 for one in found.training], dtype=np.int64),
        targets=filled,
        known=known,
        validation=validation,
    )
    return rows, duration


def context_of(one: Attempt, used: ContextMap) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """Return what a policy saw at the choice."""
    seen = one.choice.context.features
    return used.apply(seen.embedding, seen.surface)


def _rewards(within: Sequence[Lesson], upto: int) -> dict[tuple[str, int], float]:
    """Return the reward of each attempt whose first one lies within, as known after an example."""
    found: dict[tuple[str, int], float] = {}
    for lesson in _until(within, upto):
        if lesson.first or lesson.key in found:
            found[lesson.key] = lesson.reward
    return found


def _until(within: Sequence[Lesson], upto: int) -> Iterator[Lesson]:
    return (lesson for lesson in within if lesson.sequence <= upto)


def _unjudged(one: Attempt, start: Lesson, cut: Lesson) -> bool:
    """Whether an attempt ended within the time of the rows and had no reward by then: of its success and time one may learn."""
    if one.ended_at is None or any(lesson.sequence <= cut.sequence for lesson in one.lessons):
        return False
    return start.at <= one.at and one.ended_at <= cut.at


def _at(lesson: Lesson, bound: int | datetime) -> int | datetime:
    """Return the figure of an example that a bound speaks of."""
    return lesson.offset if isinstance(bound, int) else lesson.at
