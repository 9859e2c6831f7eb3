"""Intervals and tests, compared with scipy; percentiles of fixed buckets."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import special as scipy_special
from scipy import stats

from learning import special
from learning.errors import StatisticError
from learning.histogram import BUCKETS, EDGES_US, bucket, percentile_us
from learning.reward import MICRO
from learning.statistics import (
    Interval,
    Sums,
    bootstrap_interval,
    mean_interval,
    paired_difference,
    uniformity,
    welch_difference,
    wilson_interval,
)

FIRST = (0.1, 0.4, 0.35, 0.8, 0.77, 0.9, 0.0)
SECOND = (0.5, 0.6, 0.3, 0.95, 1.0, 0.85, 0.2)


def sums(values: tuple[float, ...]) -> Sums:
    """Return the sums of values given in whole units."""
    return Sums.of([round(value * MICRO) for value in values])


def bounds(interval: Interval) -> tuple[float, float]:
    """Return both ends."""
    return interval.low, interval.high


@pytest.mark.parametrize("shape", [0.5, 1.0, 4.5, 49.5, 500.0])
@pytest.mark.parametrize("ratio", [0.0, 0.01, 0.5, 0.99, 1.0, 1.2, 3.0])
def test_the_gamma_function_agrees_with_scipy(shape: float, ratio: float) -> None:
    """The regularised upper gamma function is scipy's, in the series and in the fraction."""
    assert special.upper_gamma(shape, shape * ratio) == pytest.approx(
        scipy_special.gammaincc(shape, shape * ratio), rel=1e-9, abs=1e-13
    )


@pytest.mark.parametrize("degrees", [1, 2.5, 7, 30, 1e3, 1e6])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
def test_student_quantiles_agree_with_scipy(degrees: float, confidence: float) -> None:
    """Student's quantile is scipy's, for whole and broken degrees of freedom."""
    expected = stats.t.ppf(0.5 + confidence / 2, degrees)

    assert special.student_quantile(confidence, degrees) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
def test_normal_quantiles_agree_with_scipy(confidence: float) -> None:
    """The normal quantile is scipy's."""
    assert special.normal_quantile(confidence) == pytest.approx(stats.norm.ppf(0.5 + confidence / 2), rel=1e-10)


def test_the_mean_interval_agrees_with_scipy() -> None:
    """Student's interval from integer sums is scipy's from the sample."""
    expected = stats.ttest_1samp(FIRST, 0.0).confidence_interval(0.95)

    assert bounds(mean_interval(sums(FIRST))) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_welch_agrees_with_scipy() -> None:
    """The difference of two samples has scipy's Welch interval."""
    expected = stats.ttest_ind(FIRST, SECOND, equal_var=False).confidence_interval(0.9)
    found = welch_difference(sums(FIRST), sums(SECOND), 0.9)

    assert bounds(found) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert found.value == pytest.approx(np.mean(FIRST) - np.mean(SECOND))


def test_paired_difference_agrees_with_scipy() -> None:
    """The difference of pairs has scipy's paired interval, and it is narrower than Welch's on related samples."""
    expected = stats.ttest_rel(FIRST, SECOND).confidence_interval(0.95)
    found, welch = paired_difference(FIRST, SECOND), welch_difference(sums(FIRST), sums(SECOND))

    assert bounds(found) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert found.high - found.low < welch.high - welch.low


@pytest.mark.parametrize(("successes", "n"), [(0, 5), (5, 5), (3, 10), (999, 1000)])
def test_wilson_agrees_with_scipy(successes: int, n: int) -> None:
    """Wilson's interval is scipy's, at the ends of the range too."""
    expected = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")

    assert bounds(wilson_interval(successes, n)) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_uniformity_agrees_with_scipy() -> None:
    """The chi-squared p-value is scipy's, for equal and for given shares."""
    counts, shares = [18, 25, 30, 27], [1.0, 1.0, 2.0, 1.0]
    expected = stats.chisquare(counts, [100 * share / 5 for share in shares]).pvalue

    assert uniformity(counts) == pytest.approx(stats.chisquare(counts).pvalue, rel=1e-9)
    assert uniformity(counts, shares) == pytest.approx(expected, rel=1e-9)


def test_the_bootstrap_agrees_with_scipy() -> None:
    """The percentile bootstrap lies where scipy's does, and the same seed gives the same bounds."""
    values = [value**3 for value in (*FIRST, *SECOND)]
    expected = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=2000, rng=1).confidence_interval
    found = bootstrap_interval(values, seed=1)

    assert bounds(found) == pytest.approx((expected.low, expected.high), abs=0.03)
    assert found == bootstrap_interval(values, seed=1)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """Of 500 intervals at 95 %, about 95 % hold the true mean."""
    draws = np.random.default_rng(5)
    samples = (tuple(draws.random(20)) for _ in range(500))
    covered = sum(found.low <= 0.5 <= found.high for found in (mean_interval(sums(sample)) for sample in samples))

    assert 0.92 <= covered / 500 <= 0.98


def test_equal_values_have_an_interval_of_no_width() -> None:
    """Without variance there is no doubt; nothing is divided by zero."""
    same = sums((0.5, 0.5, 0.5))

    assert mean_interval(same) == Interval(0.5, 0.5, 0.5)
    assert welch_difference(same, same) == Interval(0.0, 0.0, 0.0)


def test_sums_do_not_lose_digits() -> None:
    """A variance far smaller than the mean comes out exactly, however many values there are."""
    values = [999_999, 1_000_000] * 500_000

    assert Sums.of(values).variance == pytest.approx(0.25e-12 * 1e6 / (1e6 - 1), rel=1e-12)


def test_too_few_values_are_refused() -> None:
    """One value has no variance, no interval, and makes no pair."""
    one = sums((0.5,))

    for refused in (lambda: mean_interval(one), lambda: one.variance, lambda: Sums(0, 0, 0).mean):
        with pytest.raises(StatisticError):
            refused()
    for refused in (lambda: paired_difference((0.5,), (0.5,)), lambda: bootstrap_interval((0.5,), seed=1)):
        with pytest.raises(StatisticError):
            refused()


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (2, 1), (-1, 4)])
def test_impossible_shares_are_refused(successes: int, n: int) -> None:
    """A share of nothing, or of more than all, is refused by name."""
    with pytest.raises(StatisticError):
        wilson_interval(successes, n)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 1.5, math.nan])
def test_impossible_confidences_are_refused(confidence: float) -> None:
    """A confidence outside ]0, 1[ is refused by name."""
    with pytest.raises(StatisticError):
        mean_interval(sums(FIRST), confidence)


@pytest.mark.parametrize(("counts", "shares"), [([5], None), ([0, 0], None), ([1, 2], [1.0, 0.0])])
def test_impossible_tables_are_refused(counts: list[int], shares: list[float] | None) -> None:
    """One cell, nothing counted, or a share of zero give no p-value."""
    with pytest.raises(StatisticError):
        uniformity(counts, shares)


def test_bucket_edges_are_close() -> None:
    """Edges rise strictly, so close that a percentile is off by 15 % at most."""
    assert all(1.0 < high / low < 1.15 for low, high in pairwise(EDGES_US))


@pytest.mark.parametrize(
    ("duration", "expected"), [(0, 0), (100, 0), (101, 1), (112, 1), (10**9, BUCKETS - 2), (10**9 + 1, BUCKETS - 1)]
)
def test_an_edge_belongs_to_the_bucket_below_it(duration: int, expected: int) -> None:
    """A duration goes to the first bucket whose upper edge it does not exceed."""
    assert bucket(duration) == expected


@pytest.mark.parametrize("percent", [1, 50, 95, 99, 100])
def test_percentiles_are_close_to_the_true_ones(percent: int) -> None:
    """From buckets alone a percentile comes out within 15 % of the sample's."""
    durations = np.sort(np.random.default_rng(2).lognormal(10.0, 1.5, size=5000)).astype(int)
    counts = np.bincount([bucket(int(duration)) for duration in durations], minlength=BUCKETS).tolist()

    found = percentile_us(counts, percent)
    assert found == pytest.approx(durations[math.ceil(5000 * percent / 100) - 1], rel=0.15)


def test_percentiles_of_nothing_and_of_the_endless() -> None:
    """Nothing counted has no percentile; what exceeds the last edge is said to take at least so long."""
    endless = [0] * (BUCKETS - 1) + [3]

    assert percentile_us([0] * BUCKETS, 50) is None
    assert percentile_us(endless, 50) == EDGES_US[-1]


@pytest.mark.parametrize(("counts", "percent"), [([1, 2, 3], 50), ([1] * BUCKETS, 0), ([-1] * BUCKETS, 50)])
def test_foreign_histograms_are_refused(counts: list[int], percent: int) -> None:
    """Counts of other buckets, negative ones, and percentiles that do not exist are refused by name."""
    with pytest.raises(StatisticError):
        percentile_us(counts, percent)


def test_a_negative_duration_is_refused() -> None:
    """Time does not run backwards in a histogram."""
    with pytest.raises(StatisticError):
        bucket(-1)
