"""What would another policy have earned? Estimates from the log of the one that served, and when they may not be made.

Every logged choice has exact probabilities, so a reward can be weighted by how much likelier the candidate policy would have
been to earn it: w = pi(chosen) / logged(chosen). All three estimates are of the mean, over the logged decisions, of
what the candidate would have earned there.

Intervals are those of a mean of n terms (Student's t): a normal approximation. Its degrees of freedom are the effective
sample size less one, since where a few weights carry all, n says too little. Terms of a log whose policies
learned as they went are no independent draws, but differences from their expectation given the past (a martingale), for
which the same approximation holds.
"""

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from learning.errors import InvalidProbabilities, StatisticError
from learning.special import student_quantile
from learning.statistics import Interval

Vector = NDArray[np.float64]

# Where the log may be asked at all; what intervals do beyond is measured in docs/decisions/022-policy-replay.md.
LEAST_CHANCE = 0.001  # that an agent must have had to count as one that could be chosen
MOST_UNSUPPORTED = 0.01  # of the candidate's choices; rewards lie in [0, 1], so an estimate is off by no more than this
LEAST_EFFECTIVE = 50.0


class Logged(Struct, frozen=True):
    """One decision with its reward; the tuples have one entry per agent that could be chosen, `chosen` is the place in them.

    `logged` are the probabilities that they had, `wanted` those that the candidate policy gives them, and `expected` is
    what a model that has not seen this reward expects each to earn.
    """

    agents: tuple[str, ...]
    chosen: int
    reward: float
    logged: tuple[float, ...]
    wanted: tuple[float, ...]
    expected: tuple[float, ...]


class Estimates(Struct, frozen=True):
    """The three estimates, and what the last of them is above the logged rewards, each with its 95 % interval."""

    ips: Interval
    snips: Interval
    dr: Interval
    gain: Interval


def estimates(decisions: Sequence[Logged]) -> Estimates:
    """Return every estimate; raises StatisticError where the decisions cannot carry an interval."""
    return Estimates(ips(decisions), snips(decisions), doubly_robust(decisions), gain(decisions))


def ips(decisions: Sequence[Logged]) -> Interval:
    """Return the mean of w r: inverse propensity scoring, without bias (Horvitz & Thompson 1952)."""
    weighted = weights(decisions)
    return interval_of_terms(weighted * _rewards(decisions), weighted)


def snips(decisions: Sequence[Logged]) -> Interval:
    """Return sum(w r) / sum(w), self-normalised: a little bias, never outside the rewards (Swaminathan & Joachims 2015).

    The interval is that of the ratio by the delta method: of the mean of w (r - estimate) / mean(w).
    """
    weighted = weights(decisions)
    return interval_of_ratio(weighted * _rewards(decisions), weighted)


def doubly_robust(decisions: Sequence[Logged]) -> Interval:
    """Return the mean of what a model expects of the candidate, plus w times what the model missed by.

    Without bias whatever the model says, as long as it has not seen the rewards that it is used on, and the closer it is
    the narrower the interval (Dudik, Langford & Li 2011).
    """
    weighted = weights(decisions)
    return interval_of_terms(_robust(decisions, weighted), weighted)


def gain(decisions: Sequence[Logged]) -> Interval:
    """Return how much more than the log the candidate would have earned: doubly robust, paired decision by decision."""
    weighted = weights(decisions)
    return interval_of_terms(_robust(decisions, weighted) - _rewards(decisions), weighted)


def difference(decisions: Sequence[Logged], others: Sequence[Logged]) -> Interval:
    """Return how much more one candidate would have earned than another: doubly robust, paired decision by decision."""
    weighted, other = weights(decisions), weights(others)
    terms = _robust(decisions, weighted) - _robust(others, other)
    return interval_of_terms(terms, np.maximum(weighted, other))


def weights(decisions: Sequence[Logged]) -> Vector:
    """Return w of each decision; raises InvalidProbabilities for one that was made although it could not be."""
    if any(not one.logged[one.chosen] > 0.0 for one in decisions):
        raise InvalidProbabilities("a choice is logged with a probability that is not positive")
    return np.array([one.wanted[one.chosen] / one.logged[one.chosen] for one in decisions], dtype=np.float64)


def effective_size(weighted: Vector) -> float:
    """Return (sum w)^2 / sum w^2: how many equally weighted decisions would say as much (Kish 1965)."""
    squares = float((weighted * weighted).sum())
    return float(weighted.sum()) ** 2 / squares if squares else 0.0


def missing_support(decisions: Sequence[Logged]) -> str | None:
    """Return why the decisions do not say what the candidate would have earned; None where they do.

    Weights alone would not tell: an agent that hardly ever could be chosen never was, and leaves no large weight behind.
    So what counts is what the probabilities let one expect, before it is looked at who was chosen.
    """
    if not decisions:
        return "no choice of this range has a reward"
    missing = _unsupported(decisions)
    if (share := math.fsum(missing.values())) > MOST_UNSUPPORTED:
        most = max(sorted(missing), key=lambda agent: missing[agent])
        return (
            f"{share:.1%} of the candidate's choices would be agents whose chance was below {LEAST_CHANCE:g} then, mostly "
            f"{most}; at most {MOST_UNSUPPORTED:.0%} may be"
        )
    effective, expected = effective_size(weights(decisions)), expected_size(decisions)
    if min(effective, expected) < LEAST_EFFECTIVE:
        return (
            f"{len(decisions)} decisions with a reward weigh like {effective:.1f} of the candidate's own, where {expected:.1f} "
            f"could be expected; it takes {LEAST_EFFECTIVE:.0f} of both"
        )
    return None


def expected_size(decisions: Sequence[Logged]) -> float:
    """Return the effective size that the logged probabilities let one expect: n^2 / sum E[w^2], of agents with a chance."""
    squares = math.fsum(p * p / q for one in decisions for p, q in zip(one.wanted, one.logged, strict=True) if q >= LEAST_CHANCE)
    return len(decisions) ** 2 / squares if squares else 0.0


def _unsupported(decisions: Sequence[Logged]) -> dict[str, float]:
    """Return the share of the candidate's choices that would be each agent when it had hardly any chance."""
    found: dict[str, float] = {}
    for one in decisions:
        for agent, p, q in zip(one.agents, one.wanted, one.logged, strict=True):
            if q < LEAST_CHANCE:
                found[agent] = found.get(agent, 0.0) + p / len(decisions)
    return found


def robust_terms(decisions: Sequence[Logged]) -> Vector:
    """Return the terms whose mean is the doubly robust estimate, one for each decision."""
    return _robust(decisions, weights(decisions))


def _robust(decisions: Sequence[Logged], weighted: Vector) -> Vector:
    expected = np.array([math.fsum(p * q for p, q in zip(one.wanted, one.expected, strict=True)) for one in decisions])
    missed = np.array([one.reward - one.expected[one.chosen] for one in decisions])
    return np.asarray(expected + weighted * missed, dtype=np.float64)


def _rewards(decisions: Sequence[Logged]) -> Vector:
    return np.array([one.reward for one in decisions], dtype=np.float64)


def interval_of_ratio(earned: Vector, weighted: Vector) -> Interval:
    """Return sum(earned) / sum(weighted), where each `earned` is a weight times a reward; raises as `interval_of_terms` does."""
    total = float(weighted.sum())
    if total == 0.0:
        raise StatisticError("the candidate would have made none of these choices")
    value = float(earned.sum()) / total
    return interval_of_terms(value + (earned - weighted * value) * (len(weighted) / total), weighted)


def interval_of_terms(terms: Vector, weighted: Vector) -> Interval:
    """Return the mean of the terms with Student's t interval; raises StatisticError below an effective size of two."""
    effective = effective_size(weighted)
    if len(terms) < 2 or effective < 2.0:
        raise StatisticError(f"{len(terms)} decisions that weigh like {effective:.1f} have no interval")
    mean = float(terms.mean())
    half = student_quantile(0.95, effective - 1.0) * float(terms.std(ddof=1)) / math.sqrt(len(terms))
    return Interval(mean, mean - half, mean + half)
