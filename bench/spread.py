"""Middles, slopes and how sure one may be of them: percentile bootstrap, the same for the same seed.

Source: Efron, "Bootstrap methods: another look at the jackknife", 1979. Pure.
"""

import random
import statistics
from collections.abc import Callable, Sequence
from typing import TypeVar

from msgspec import Struct

T = TypeVar("T")

_DRAWS = 2_000


class Range(Struct, frozen=True):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def told(self) -> str:
        """Return it as a table shows it."""
        return f"{self.value:.4g} ({self.low:.4g} to {self.high:.4g})"


def mean(values: Sequence[float]) -> float:
    """Return the mean of a sample, summed in its order."""
    return sum(values) / len(values)


def middle(values: Sequence[float]) -> Range:
    """Return the median."""
    return bootstrapped(values, statistics.median)


def slope(points: Sequence[tuple[float, float]]) -> Range:
    """Return the least-squares slope of y over x; 0 where all x are the same."""
    return bootstrapped(points, _slope)


def bootstrapped(sample: Sequence[T], figure: Callable[[Sequence[T]], float], seed: int = 1) -> Range:
    """Return a figure of a sample with the interval that drawing the sample anew gives it."""
    rng = random.Random(seed)
    drawn = sorted(figure(rng.choices(sample, k=len(sample))) for _ in range(_DRAWS))
    return Range(figure(sample), drawn[int(0.025 * _DRAWS)], drawn[int(0.975 * _DRAWS) - 1])


def _slope(points: Sequence[tuple[float, float]]) -> float:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    if len(set(xs)) < 2:
        return 0.0
    return statistics.linear_regression(xs, ys).slope
