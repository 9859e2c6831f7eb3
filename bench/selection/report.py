"""From passes to figures: means over the orders, and paired intervals, since every learner meets the same orders."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from bench.selection.bound import bounds, picked
from bench.selection.course import Course, Pass
from learning.statistics import Interval, paired_difference

START = 500  # tasks: where most of the reward is lost, and what drift is judged by


class Spread(msgspec.Struct, frozen=True):
    """A mean over the orders, and half of its 95 % interval: not a number where there is a single order."""

    mean: float
    half: float

    @classmethod
    def of(cls, values: Sequence[float], beside: Sequence[float] | None = None) -> "Spread":
        """Return the spread of values, or of what they are above others of the same orders."""
        found = paired_difference(values, beside or [0.0] * len(values)) if len(values) > 1 else _single(values, beside)
        return cls(found.value, found.value - found.low)

    @property
    def interval(self) -> tuple[float, float]:
        """Where the mean over all orders lies in 95 of 100 cases."""
        return self.mean - self.half, self.mean + self.half


class Row(msgspec.Struct, frozen=True):
    """What one learner did. Differences are against the best single agent and against the default policy."""

    stream: Spread
    over_best: Spread
    over_default: Spread
    first: float
    worst: float
    first_mean: Spread
    blocks: dict[str, Spread]
    test: Spread
    test_over_default: Spread
    score: float
    test_score: float
    cost: float
    ms: dict[str, float]
    ms_p99: Spread
    by_order: list[float]
    test_by_order: list[float]


class BoundRow(msgspec.Struct, frozen=True):
    """What a rule that knows too much earns: reward and score on stream and test, and cost of a task in dollars."""

    stream: float
    test: float
    score: float
    test_score: float
    cost: float


class Report(msgspec.Struct, frozen=True):
    """One table: what was replayed, the set's bounds, and every learner."""

    about: dict[str, Any]
    bounds: dict[str, BoundRow]
    learners: dict[str, Row]
    left_out: tuple[str, ...] = ()


def rows_of(passes: Mapping[str, Sequence[Pass]], default: str) -> dict[str, Row]:
    """Return every learner's row; `default` names whom the others are compared with."""
    base = passes[default]
    return {label: _row(found, base) for label, found in passes.items()}


def bound_rows(course: Course) -> dict[str, BoundRow]:
    """Return what the set allows; nothing under drift, which changes what "best" means."""
    if course.drift:
        return {}
    stream, test = course.stream, course.test
    rewards, test_rewards = course.rewards(stream), course.rewards(test)
    return {
        name: BoundRow(
            stream=picked(rewards, rule.stream),
            test=picked(test_rewards, rule.test),
            score=picked(stream.scores, rule.stream),
            test_score=picked(test.scores, rule.test),
            cost=picked(stream.costs, rule.stream),
        )
        for name, rule in bounds(stream, test, rewards, test_rewards).items()
    }


def _row(found: Sequence[Pass], base: Sequence[Pass]) -> Row:
    means, best = [float(one.rewards.mean()) for one in found], [one.best for one in found]
    times = np.concatenate([one.times for one in found])
    return Row(
        stream=Spread.of(means),
        over_best=Spread.of(means, best),
        over_default=Spread.of(means, [float(one.rewards.mean()) for one in base]),
        first=float(np.mean([one.rewards[:START].mean() - one.best for one in found])),
        worst=min(mean - one for mean, one in zip(means, best, strict=True)),
        first_mean=Spread.of([float(one.rewards[:START].mean()) for one in found]),
        blocks=_blocks(found),
        test=Spread.of([one.test for one in found]),
        test_over_default=Spread.of([one.test for one in found], [one.test for one in base]),
        score=float(np.mean([one.scores.mean() for one in found])),
        test_score=float(np.mean([one.test_score for one in found])),
        cost=float(np.mean([one.costs.mean() for one in found])),
        ms={"p50": float(np.percentile(times, 50)), "p99": float(np.percentile(times, 99)), "most": float(times.max())},
        ms_p99=Spread.of([float(np.percentile(one.times, 99)) for one in found]),
        by_order=means,
        test_by_order=[one.test for one in found],
    )


def _blocks(found: Sequence[Pass]) -> dict[str, Spread]:
    """Return mean rewards before and after half-way, and at the end."""
    half = len(found[0].rewards) // 2
    spans = {"before": slice(max(0, half - START), half), "after": slice(half, half + START), "last": slice(-START, None)}
    return {name: Spread.of([float(one.rewards[span].mean()) for one in found]) for name, span in spans.items()}


def _single(values: Sequence[float], beside: Sequence[float] | None) -> Interval:
    """Return the one value there is; nothing is known of its spread."""
    return Interval(values[0] - (beside[0] if beside else 0.0), math.nan, math.nan)
