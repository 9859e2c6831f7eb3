"""Estimates of what another policy would have earned: true on average, as wide as they should be, refused where blind."""

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from learning.draw import sample
from learning.errors import InvalidProbabilities, StatisticError
from learning.evaluation import (
    LEAST_EFFECTIVE,
    Logged,
    doubly_robust,
    effective_size,
    estimates,
    expected_size,
    gain,
    ips,
    missing_support,
    snips,
    weights,
)
from learning.statistics import Interval

KINDS = ((0.9, 0.5, 0.4, 0.3), (0.2, 0.8, 0.5, 0.6), (0.5, 0.45, 0.55, 0.7))  # what each agent earns on each kind of task
NAMES = ("anna", "bert", "clara", "dora")
AGENTS = len(NAMES)
UNIFORM = (1 / AGENTS,) * AGENTS
ESTIMATORS = (ips, snips, doubly_robust)


def favouring(kind: int) -> tuple[float, ...]:
    """Return the chances of a candidate that mostly knows who is best."""
    best = KINDS[kind].index(max(KINDS[kind]))
    return tuple(0.85 if agent == best else 0.05 for agent in range(AGENTS))


TRUE = sum(p * mean for kind, means in enumerate(KINDS) for p, mean in zip(favouring(kind), means, strict=True)) / len(KINDS)


def simulated(seed: int, size: int, logged: Callable[[int], tuple[float, ...]] = lambda _kind: UNIFORM) -> list[Logged]:
    """Return decisions of a policy (uniform unless told), rewards 0 and 1, and a model that is half right."""
    drawn = np.random.Generator(np.random.PCG64(seed)).random((size, 3)).tolist()
    found = []
    for first, second, third in drawn:
        kind = int(first * len(KINDS))
        shares = logged(kind)
        chosen = sample(shares, second)
        expected = tuple(0.25 + mean / 2 for mean in KINDS[kind])
        found.append(Logged(NAMES, chosen, float(third < KINDS[kind][chosen]), shares, favouring(kind), expected))
    return found


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_intervals_hold_the_true_value(estimator: Callable[[Sequence[Logged]], Interval]) -> None:
    """Of 100 logs of 400 uniform choices, the interval holds what the candidate truly earns in 93 or more."""
    found = [estimator(simulated(seed, 400)) for seed in range(100)]

    assert sum(one.low <= TRUE <= one.high for one in found) >= 93
    assert np.mean([one.value for one in found]) == pytest.approx(TRUE, abs=0.01)


def test_what_is_logged_is_not_what_is_estimated() -> None:
    """The mean of the log itself is far from the candidate's worth: without weights nothing would be shown."""
    decisions = simulated(1, 400)

    assert np.mean([one.reward for one in decisions]) < ips(decisions).low


def test_another_library_says_the_same() -> None:
    """Open Bandit Pipeline 0.4.1 gave these figures for this log (`estimate_policy_value` of its three estimators).

    It is no dependency of the tests: it needs PyTorch, which these estimators do not use.
    """
    decisions = simulated(7, 500, logged=lambda kind: (0.4, 0.3, 0.2, 0.1) if kind else UNIFORM)

    assert ips(decisions).value == pytest.approx(0.7004, rel=1e-12)
    assert snips(decisions).value == pytest.approx(0.712017756391793, rel=1e-12)
    assert doubly_robust(decisions).value == pytest.approx(0.7121708333333333, rel=1e-12)


def some_log(size: int = 30) -> st.SearchStrategy[list[Logged]]:
    """Return logs of two to that many decisions among three agents, any chances and any rewards."""
    shares = st.lists(st.integers(1, 20), min_size=3, max_size=3).map(lambda parts: tuple(part / sum(parts) for part in parts))
    unit = st.floats(0, 1)
    one = st.builds(Logged, st.just(NAMES[:3]), st.integers(0, 2), unit, shares, shares, st.tuples(unit, unit, unit))
    return st.lists(one, min_size=5, max_size=size).filter(lambda log: effective_size(weights(log)) >= 2.0)


@settings(deadline=None)
@given(some_log())
def test_estimates_are_the_definitions_in_exact_fractions(log: list[Logged]) -> None:
    """Each estimate is its formula, written down a second time in fractions.

    Formulas: Horvitz & Thompson 1952 (IPS), Swaminathan & Joachims 2015 (SNIPS), Dudik, Langford & Li 2011 (doubly robust).
    """
    weighted = [Fraction(one.wanted[one.chosen]) / Fraction(one.logged[one.chosen]) for one in log]
    earned = [weight * Fraction(one.reward) for weight, one in zip(weighted, log, strict=True)]
    robust = [
        sum(Fraction(p) * Fraction(q) for p, q in zip(one.wanted, one.expected, strict=True))
        + weight * (Fraction(one.reward) - Fraction(one.expected[one.chosen]))
        for weight, one in zip(weighted, log, strict=True)
    ]
    found = estimates(log)

    assert found.ips.value == pytest.approx(float(sum(earned) / len(log)), abs=1e-9)
    assert found.snips.value == pytest.approx(float(sum(earned) / sum(weighted)), abs=1e-9)
    assert found.dr.value == pytest.approx(float(sum(robust) / len(log)), abs=1e-9)
    mean = sum(Fraction(one.reward) for one in log) / len(log)
    assert found.gain.value == pytest.approx(float(sum(robust) / len(log) - mean), abs=1e-9)
    assert effective_size(weights(log)) == pytest.approx(float(sum(weighted) ** 2 / sum(w * w for w in weighted)))


@settings(deadline=None)
@given(some_log())
def test_self_normalised_stays_among_the_rewards(log: list[Logged]) -> None:
    """SNIPS is a weighted mean: never below the least reward, nor above the greatest."""
    rewards = [one.reward for one in log]

    assert min(rewards) - 1e-9 <= snips(log).value <= max(rewards) + 1e-9


@settings(deadline=None)
@given(some_log())
def test_every_estimate_lies_in_its_interval(log: list[Logged]) -> None:
    """No estimate is outside its own bounds."""
    for estimator in (*ESTIMATORS, gain):
        found = estimator(log)
        assert found.low <= found.value <= found.high


def test_a_policy_evaluated_on_itself_earned_what_it_earned() -> None:
    """All weights are one, and each estimate without a model is the mean reward."""
    decisions = [replace(one, wanted=one.logged) for one in simulated(3, 200)]
    mean = np.mean([one.reward for one in decisions])

    assert weights(decisions).tolist() == [1.0] * 200
    assert (ips(decisions).value, snips(decisions).value) == (pytest.approx(mean), pytest.approx(mean))
    assert effective_size(weights(decisions)) == pytest.approx(200)
    assert missing_support(decisions) is None


def test_a_good_model_narrows_the_interval() -> None:
    """What the model explains is not left to weights."""
    decisions = simulated(5, 400)

    assert width(doubly_robust(decisions)) < width(ips(decisions))


def test_missing_support_is_refused() -> None:
    """A candidate that would mostly choose whom the log never could is refused; one choice in a hundred may be so."""
    fixed = simulated(2, 200, logged=lambda _kind: (1.0, 0.0, 0.0, 0.0))
    anna = [replace(one, wanted=(1.0, 0.0, 0.0, 0.0)) for one in simulated(2, 396)]
    dora = [replace(one, wanted=(0.0, 0.0, 0.0, 1.0)) for one in fixed]

    others = np.mean([1.0 - one.wanted[0] for one in fixed])
    assert f"{others:.1%} of the candidate's choices" in str(missing_support(fixed))
    assert missing_support([*anna, *dora[:5]]) is not None
    assert missing_support([*anna, *dora[:3]]) is None


def test_an_agent_that_hardly_had_a_chance_is_refused_although_no_weight_is_large() -> None:
    """Nobody drew dora, so every weight is small and the log looks as if it could tell; the probabilities say that it cannot."""
    rare = (0.4999, 0.4999, 0.0001, 0.0001)
    often = [replace(one, logged=rare, wanted=(0.4, 0.4, 0.0, 0.2)) for one in simulated(6, 400, lambda _kind: rare)]

    assert {one.chosen for one in often} <= {0, 1}
    assert effective_size(weights(often)) > 399
    assert "20.0% of the candidate's choices" in str(missing_support(often))
    assert "mostly dora" in str(missing_support(often))


def test_the_size_to_be_expected_is_refused_before_luck_is_looked_at() -> None:
    """Where the probabilities promise too little, it does not help that no rare choice with a large weight was drawn."""
    rare = (0.497, 0.498, 0.003, 0.002)
    decisions = [replace(one, logged=rare, wanted=(0.3, 0.3, 0.0, 0.4)) for one in simulated(6, 400, lambda _kind: rare)]
    lucky = [one for one in decisions if one.chosen < 2]

    assert effective_size(weights(lucky)) > LEAST_EFFECTIVE
    assert expected_size(lucky) == pytest.approx(len(lucky) / (0.09 / 0.497 + 0.09 / 0.498 + 0.16 / 0.002))
    assert "it takes 50" in str(missing_support(lucky))


def test_too_small_an_effective_size_is_refused() -> None:
    """A candidate whom few of the logged choices speak for is refused, and so is an empty log."""
    decisions = simulated(4, 100)

    assert effective_size(weights(decisions)) < LEAST_EFFECTIVE
    assert "it takes 50" in str(missing_support(decisions))
    assert "no choice" in str(missing_support([]))


def test_what_has_no_interval_or_no_probability_is_an_error() -> None:
    """One decision, weights of nothing, and a choice that had no chance are no grounds for a figure."""
    half = (0.5, 0.5)
    one = Logged(NAMES[:2], 0, 1.0, half, half, half)
    never = replace(one, wanted=(0.0, 1.0))

    with pytest.raises(StatisticError):
        ips([one])
    with pytest.raises(StatisticError):
        snips([never, never])
    with pytest.raises(InvalidProbabilities):
        weights([replace(one, logged=(0.0, 1.0))])


def width(interval: Interval) -> float:
    """Return how wide an interval is."""
    return interval.high - interval.low
