"""One joint Bayesian regression of all agents: what texts do to everybody, and what they do to one agent beside that.

r = z'(u + v_a) + noise with z = (1, x), u ~ N((1/2, 0...), shared) and v_a ~ N(0, own), every prior diagonal. Given u the
agents are independent, so the exact posterior is one small matrix for u and one per agent, and an example moves two of
them by rank one: with P_a the covariance of v_a given u and t_a = sum z r / noise, the example says of u that
r - z'P_a t_a = q'u, q = P_a z / own, with variance noise + z'P_a z. Cost: width^2, whatever the number of agents.
Everything is elementwise or a plain `einsum`: no BLAS, so no thread count can change a bit.
"""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Vector = NDArray[np.float64]
LEVEL, NOISE = 0.5, 0.2  # what an agent is worth before anybody knows, and the variance of a reward around its mean
SHARED_LEVEL, SHARED_SLOPE = 0.2**2, 0.3**2  # prior variances: of what all agents have in common
OWN_LEVEL, OWN_SLOPE = 0.14**2, 0.1**2  # ... and of what is an agent's own


class Own(Struct, frozen=True):
    """Prior variances of what is an agent's own: of its level, and of each of its slopes."""

    level: float = OWN_LEVEL
    slope: float = OWN_SLOPE


_OWN = Own()


class JointRegression:
    """The posterior of u and of every agent met; rows of agents stand in the order of their ids."""

    def __init__(self, width: int, agents: int = 0, own: Own = _OWN) -> None:
        self._own = _diagonal(width, own.level, own.slope)
        self._shared = _diagonal(width, SHARED_LEVEL, SHARED_SLOPE)
        self._spread = np.diag(self._shared)  # covariance of u
        self._told = np.zeros(width)  # its information vector
        self._told[0] = LEVEL / self._shared[0]
        self._spreads = np.repeat(np.diag(self._own)[None], agents, axis=0)  # P_a
        self._sums = np.zeros((agents, width))  # t_a
        self._refresh()

    def join(self, row: int) -> None:
        """Make room for an agent that nobody knew, at this row."""
        self._spreads = np.insert(self._spreads, row, np.diag(self._own), axis=0)
        self._sums = np.insert(self._sums, row, 0.0, axis=0)
        self._refresh()

    def add(self, point: Vector, row: int, reward: float) -> None:
        """Take in one outcome."""
        spread, sums = self._spreads[row], self._sums[row]
        reach = np.einsum("ij,j->i", spread, point)
        noise = NOISE + float(np.einsum("i,i->", point, reach))
        surprise = reward - float(np.einsum("i,i->", reach, sums))
        pull = reach / self._own
        wide = np.einsum("ij,j->i", self._spread, pull)
        self._spread -= wide[:, None] * (wide / (noise + float(np.einsum("i,i->", pull, wide))))
        self._told += pull * (surprise / noise)
        spread -= reach[:, None] * (reach / noise)
        sums += point * (reward / NOISE)
        self._refresh()

    def move(self, point: Vector, row: int, change: float) -> None:
        """Change the reward of an outcome that is in already."""
        self._sums[row] += point * (change / NOISE)
        self._told += np.einsum("ij,j->i", self._spreads[row], point) * (change / NOISE) / self._own
        self._refresh()

    def forget(self, row: int, points: Sequence[Vector], rewards: Sequence[float]) -> None:
        """Let an agent stand where these outcomes alone would have put it; what others said stays.

        What outcomes say of u is a sum over agents: precision 1/own - P_a/own^2 and information P_a t_a/own each.
        """
        self._spreads[row], self._sums[row] = np.diag(self._own), 0.0
        self._pool()
        for point, reward in zip(points, rewards, strict=True):
            self.add(point, row, reward)

    def worth(self, points: Vector) -> Vector:
        """Return the expected reward of every agent, the last one never met, at a point or at each of many."""
        found: Vector = np.einsum("ki,...i->...k", self._slopes, points)
        return found

    @property
    def levels(self) -> Vector:
        """Return the expected reward of every agent on a text in the middle of all, the last one never met."""
        return self._slopes[:, 0]

    def common(self) -> bytes:
        """Return what is kept of all agents together, little-endian as in a state."""
        return _bytes(self._spread, self._told)

    def of_agent(self, row: int) -> bytes:
        """Return what is kept of one agent, little-endian as in a state."""
        return _bytes(self._spreads[row], self._sums[row])

    def arrays(self) -> dict[str, Vector]:
        """Return what the regression consists of."""
        return {"spread": self._spread, "told": self._told, "spreads": self._spreads, "sums": self._sums}

    @classmethod
    def of(cls, arrays: Mapping[str, Vector], width: int, own: Own = _OWN) -> Self:
        """Continue from arrays; what they imply is computed as it was, so every bit comes back."""
        found = cls(width, own=own)
        found._spread, found._told = arrays["spread"].copy(), arrays["told"].copy()
        found._spreads, found._sums = arrays["spreads"].copy(), arrays["sums"].copy()
        found._refresh()
        return found

    @staticmethod
    def shapes(agents: int, width: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of `arrays`."""
        return {"spread": (width, width), "told": (width,), "spreads": (agents, width, width), "sums": (agents, width)}

    def _pool(self) -> None:
        """Work out anew what all agents say of u."""
        prior = 1.0 / self._shared
        precise = np.diag(prior) + (np.diag(1.0 / self._own) - self._spreads / np.outer(self._own, self._own)).sum(axis=0)
        self._spread = _inverse(precise)
        self._told = np.einsum("kij,kj->i", self._spreads, self._sums) / self._own
        self._told[0] += LEVEL * prior[0]
        self._refresh()

    def _refresh(self) -> None:
        """Recompute the expected slopes of everybody, those of an agent never met last: P_a (t_a + u / own)."""
        common = np.einsum("ij,j->i", self._spread, self._told)
        own = np.einsum("kij,kj->ki", self._spreads, self._sums + common / self._own)
        self._slopes = np.concatenate([own, common[None, :]])


def _diagonal(width: int, level: float, slope: float) -> Vector:
    return np.array([level, *[slope] * (width - 1)])


def _bytes(*parts: Vector) -> bytes:
    return b"".join(np.asarray(part, dtype="<f8").tobytes() for part in parts)


def _inverse(matrix: Vector) -> Vector:
    """Return the inverse of a positive definite matrix by Gauss and Jordan, which needs no library."""
    width = len(matrix)
    both = np.concatenate([matrix, np.eye(width)], axis=1)
    for at in range(width):
        both[at] /= both[at, at]
        rest = both[:, at].copy()
        rest[at] = 0.0
        both -= rest[:, None] * both[at]
    return both[:, width:]
