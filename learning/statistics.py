"""Means, shares and differences with their intervals, from samples or from sums that SQL keeps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from learning.errors import StatisticError
from learning.reward import MICRO
from learning.special import chi_squared_tail, normal_quantile, student_quantile


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the bounds it lies within, at the confidence it was asked for (.95 unless told)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Sums:
    """What is kept of a sample: its size, its sum in micro-units, the sum of its squared micro-units; all integers.

    Integers add up exactly in any order, so two read models of the same facts agree to the last digit.
    """

    n: int
    total: int
    squares: int

    @classmethod
    def of(cls, values: Sequence[int]) -> "Sums":
        """Sum up values that are in micro-units already."""
        return cls(len(values), sum(values), sum(value * value for value in values))

    @property
    def mean(self) -> float:
        """The mean in whole units; raises StatisticError for an empty sample."""
        if self.n < 1:
            raise StatisticError("an empty sample has no mean")
        return self.total / (self.n * MICRO)

    @property
    def variance(self) -> float:
        """The sample variance (n - 1) in squared units; raises StatisticError below two values."""
        if self.n < 2:
            raise StatisticError(f"a sample of {self.n} has no variance")
        return (self.n * self.squares - self.total**2) / (self.n * (self.n - 1) * MICRO**2)


def mean_interval(sums: Sums, confidence: float = 0.95) -> Interval:
    """Return the mean with Student's t interval; raises StatisticError below two values."""
    half = student_quantile(confidence, sums.n - 1) * math.sqrt(sums.variance / sums.n) if sums.n > 1 else math.nan
    if math.isnan(half):
        raise StatisticError(f"a sample of {sums.n} has no interval")
    return Interval(sums.mean, sums.mean - half, sums.mean + half)


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Return a share with Wilson's score interval (E. B. Wilson 1927): right for few and for extreme shares, too."""
    if not 0 <= successes <= n or n == 0:
        raise StatisticError(f"{successes} successes of {n} are no share")
    z = normal_quantile(confidence)
    share, weight = successes / n, 1.0 + z * z / n
    centre = (share + z * z / (2 * n)) / weight
    half = z / weight * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))


def welch_difference(first: Sums, second: Sums, confidence: float = 0.95) -> Interval:
    """Return mean(first) - mean(second) of two independent samples, variances unequal (B. L. Welch 1947)."""
    parts = (first.variance / first.n, second.variance / second.n)
    difference, error = first.mean - second.mean, sum(parts)
    if error == 0.0:
        return Interval(difference, difference, difference)
    degrees = error**2 / (parts[0] ** 2 / (first.n - 1) + parts[1] ** 2 / (second.n - 1))
    half = student_quantile(confidence, degrees) * math.sqrt(error)
    return Interval(difference, difference - half, difference + half)


def paired_difference(first: Sequence[float], second: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the mean of first[i] - second[i] with Student's t interval over the pairs."""
    if len(first) != len(second) or len(first) < 2:
        raise StatisticError(f"{len(first)} and {len(second)} values make no pairs to compare")
    gaps = [a - b for a, b in zip(first, second, strict=True)]
    mean = math.fsum(gaps) / len(gaps)
    variance = math.fsum((gap - mean) ** 2 for gap in gaps) / (len(gaps) - 1)
    half = student_quantile(confidence, len(gaps) - 1) * math.sqrt(variance / len(gaps))
    return Interval(mean, mean - half, mean + half)


def bootstrap_interval(values: Sequence[float], seed: int, draws: int = 2000, confidence: float = 0.95) -> Interval:
    """Return the mean with the percentile bootstrap interval (Efron 1979): for samples far from normal."""
    if len(values) < 2:
        raise StatisticError(f"a sample of {len(values)} has no interval")
    sample = np.asarray(values, dtype=np.float64)
    picks = np.random.Generator(np.random.PCG64(seed)).integers(0, len(sample), size=(draws, len(sample)))
    means = np.sort(sample[picks].mean(axis=1))
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return Interval(float(sample.mean()), float(low), float(high))


def uniformity(counts: Sequence[int], shares: Sequence[float] | None = None) -> float:
    """Return the p-value of Pearson's chi-squared test that counts fall by the shares (equal ones unless given)."""
    expected = [1.0 / len(counts)] * len(counts) if shares is None else [share / sum(shares) for share in shares]
    n = sum(counts)
    if len(expected) != len(counts) or len(counts) < 2 or n == 0 or min(expected) <= 0.0:
        raise StatisticError("a chi-squared test needs two or more cells, positive shares and something counted")
    statistic = math.fsum((seen - n * share) ** 2 / (n * share) for seen, share in zip(counts, expected, strict=True))
    return chi_squared_tail(statistic, len(counts) - 1)
