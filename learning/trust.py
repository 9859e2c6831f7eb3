"""How many records of an agent weigh as much as what agents are worth in general: by how much do their means differ?

trust = .2 / variance between agents (empirical Bayes), .2 being the variance of a reward around its mean.
"""

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
PRIOR = 0.5
NOISE = 0.2
EXPECTED = 0.14**2  # the variance between agents before anybody knows, and
WEIGHT = 4.0  # how many agents' worth of evidence that is
LEAST, MOST = 0.05**2, 0.25**2


def trust(counts: Vector, earned: Vector) -> float:
    """Return the trust that the spread of the agents' means calls for; an agent with few records says little of it."""
    first = NOISE / EXPECTED
    tried = np.maximum(counts, 1.0)
    weight = (counts / (counts + first)) ** 2
    between = (earned / tried - pooled_mean(counts, earned, first)) ** 2 - NOISE / tried
    found = (WEIGHT * EXPECTED + (weight * between).sum()) / (WEIGHT + weight.sum())
    return NOISE / min(max(float(found), LEAST), MOST)


def pooled_mean(counts: Vector, earned: Vector, held: float) -> float:
    """Return the mean of all agents' shrunk means, in which every agent counts alike once it is known."""
    known = counts + held
    return float((PRIOR + (earned / known).sum()) / (1.0 + (counts / known).sum()))
