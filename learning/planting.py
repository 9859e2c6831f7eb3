"""A forest on its way: grown from records as they were when it was begun, a tree with every example that comes.

So no example has to wait until a whole forest is grown, and which trees there are follows from the examples alone.
"""

import hashlib

import numpy as np

from learning.forest import Forest
from learning.grow import Crop, Tree, grow
from learning.memory import REWARD, Points, Vector, Whole
from learning.trust import trust


class Planting:
    """So many trees, of which `grown` stand. Agents are known by their rows."""

    def __init__(self, points: Points, rows: Whole, rewards: Vector, levels: Vector, trees: int, least: int) -> None:
        """Begin; `rewards` are whole numbers of 2^-20, `levels` what is expected of every agent, the last one never met."""
        self._met, columns = np.unique(rows, return_inverse=True)
        self._crop = Crop(points.copy(), columns, rewards / REWARD, levels.take(np.append(self._met, -1)))
        self.trust = trust(np.bincount(columns).astype(np.float64), np.bincount(columns, rewards) / REWARD)
        self._wanted, self._least = trees, least
        self._trees: list[Tree] = []

    @property
    def grown(self) -> int:
        """How many trees stand."""
        return len(self._trees)

    @property
    def done(self) -> bool:
        """Whether all of them do."""
        return self.grown == self._wanted

    def grow(self, trees: int = 1) -> None:
        """Grow so many trees more, or what is left."""
        end = min(self._wanted, self.grown + trees)
        self._trees += grow(self._crop, range(self.grown, end), self._least, len(self._crop.columns))

    def join(self, row: int) -> None:
        """Make room for an agent that nobody knew, at this row."""
        self._met = self._met + (self._met >= row)

    def forest(self, agents: int) -> Forest:
        """Return the forest, its leaves empty, with a column for each of so many agents."""
        column_of = np.full(agents, -1)
        column_of[self._met] = np.arange(len(self._met))
        return Forest(self._trees, column_of)

    def seal(self) -> bytes:
        """Return the sha256 of the trees."""
        return hashlib.sha256(b"".join(tree.bytes() for tree in self._trees)).digest()
