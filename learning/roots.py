"""What an agent is worth whatever the text: its mean, shrunk to what agents are worth in general.

pooled = (1/2 + sum w_a m_a) / (1 + sum w_a) with w_a = n_a / (n_a + trust): every agent counts alike once it is known;
mean_a = pooled + (s_a - n_a pooled) / (n_a + trust). `trust` follows from how much the agents' means differ (empirical
Bayes): .2 / variance between agents, .2 being the variance of a reward around its mean.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
PRIOR = 0.5
NOISE = 0.2
EXPECTED = 0.14**2  # the variance between agents before anybody knows, and
WEIGHT = 4.0  # how many agents' worth of evidence that is
LEAST, MOST = 0.05**2, 0.25**2


@dataclass(frozen=True, slots=True)
class Roots:
    """The pooled mean, the trust in it, and every agent's own mean; the last is of an agent never met."""

    pooled: float
    trust: float
    means: Vector


def roots(counts: Vector, earned: Vector, trust: float | None = None) -> Roots:
    """Return the roots of agents with these numbers of records and sums of rewards; the trust they call for unless given."""
    if trust is None:
        trust = _trust(counts, earned)
    pooled = _pooled(counts, earned, trust)
    means = pooled + (earned - counts * pooled) / (counts + trust)
    return Roots(pooled, trust, np.append(means, pooled))


def _pooled(counts: Vector, earned: Vector, trust: float) -> float:
    known = counts + trust
    return float((PRIOR + (earned / known).sum()) / (1.0 + (counts / known).sum()))


def _trust(counts: Vector, earned: Vector) -> float:
    """Return the trust that the spread of the agents' means calls for; an agent with few records says little of it."""
    first = NOISE / EXPECTED
    tried = np.maximum(counts, 1.0)
    weight = (counts / (counts + first)) ** 2
    between = (earned / tried - _pooled(counts, earned, first)) ** 2 - NOISE / tried
    found = (WEIGHT * EXPECTED + (weight * between).sum()) / (WEIGHT + weight.sum())
    return NOISE / min(max(float(found), LEAST), MOST)
