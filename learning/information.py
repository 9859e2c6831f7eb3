"""What giving more tasks to several agents would tell, and whether that is worth what it costs.

The mean reward of each agent is held to be normal around what its examples say, shrunk towards the mean of all agents as far
as agents differ (`learning/trust.py`). More outcomes move these means by an amount whose spread is known beforehand; what they
are worth is how much better the agent that is best by then is expected to be than the one held best now. This is the knowledge
gradient (Frazier, Powell & Dayanik 2008) of a batch. One more task alone is often worth nothing although thirty would be, so the
best batch of any size that is left is looked at (the KG(*) rule: Frazier & Powell 2010).

It is about agents' means alone. What a policy learns of who is good at what comes on top and is not counted; nor is it counted
that examples come with every task anyway. The two pull in opposite ways.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from learning.trust import NOISE, pooled_mean, trust

Vector = NDArray[np.float64]
_GRID = 801  # points of the integral; twice as many change the result by less than 1e-6
_REACH = 7.0  # standard deviations on either side


class Standing(Struct, frozen=True):
    """What is known of an agent in a scope: examples, and the sum of their rewards."""

    agent: str
    examples: int
    earned: float


class Stakes(Struct, frozen=True):
    """What a further reward is worth, and what it is worth it for: dollars in millionths, tasks to come."""

    horizon: int
    worth_microusd: float


class Verdict(NamedTuple):
    """The batch that pays best: its tasks, what they are expected to gain and to cost, in millionths of a dollar."""

    tasks: int
    gain_microusd: float
    cost_microusd: float

    @property
    def pays(self) -> bool:
        """Whether the batch gains more than it costs."""
        return self.gain_microusd > self.cost_microusd


def expected_gain(standings: Sequence[Standing], more: Mapping[str, int]) -> float:
    """Return by how much the best agent's mean is expected to rise, in reward (0 to 1), once each has so many more examples.

    Agents that `more` does not name learn nothing; without standings nothing is gained.
    """
    if not standings:
        return 0.0
    counts = np.array([float(one.examples) for one in standings])
    earned = np.array([one.earned for one in standings])
    added = np.array([float(more.get(one.agent, 0)) for one in standings])
    held = trust(counts, earned)
    means = (earned + held * pooled_mean(counts, earned, held)) / (counts + held)
    spreads = np.sqrt(NOISE / (counts + held) - NOISE / (counts + added + held))
    return max(0.0, expected_maximum(means, spreads) - float(means.max()))


def expected_maximum(means: Vector, spreads: Vector) -> float:
    """Return the expectation of the largest of independent normals; one with spread 0 is a constant."""
    known = float(means[spreads <= 0.0].max(initial=-math.inf))
    moving = spreads > 0.0
    if not moving.any():
        return known
    low = max(known, float((means - _REACH * spreads).max()))
    high = max(low, float((means + _REACH * spreads).max()))
    grid = np.linspace(low, high, _GRID)
    below = np.ones(_GRID)
    for mean, spread in zip(means[moving].tolist(), spreads[moving].tolist(), strict=True):
        below *= [_phi((x - mean) / spread) for x in grid.tolist()]
    step = (high - low) / (_GRID - 1)
    return high - step * float(below.sum() - 0.5 * (below[0] + below[-1]))  # the trapezoidal rule


def best_batch(standings: Sequence[Standing], costs: Mapping[str, float], left: int, stakes: Stakes) -> Verdict:
    """Return what the best batch of further tasks gains and costs; `costs` are of one task, by each agent that does it."""
    price = math.fsum(costs.values())
    found = [_verdict(standings, costs, tasks, price, stakes) for tasks in _sizes(left)]
    return max(found, key=lambda one: one.gain_microusd - one.cost_microusd, default=Verdict(0, 0.0, 0.0))


def _verdict(standings: Sequence[Standing], costs: Mapping[str, float], tasks: int, price: float, stakes: Stakes) -> Verdict:
    gain = expected_gain(standings, dict.fromkeys(costs, tasks))
    return Verdict(tasks, gain * stakes.horizon * stakes.worth_microusd, tasks * price)


def _sizes(left: int) -> Iterator[int]:
    """Yield 1, 2, 4, ... and all that is left."""
    size = 1
    while size < left:
        yield size
        size *= 2
    if left > 0:
        yield left


def _phi(x: float) -> float:
    """Return the standard normal distribution function."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))
