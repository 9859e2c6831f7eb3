"""What it is worth when a task's text lies near an agent's description: one slope of reward on that cosine for all agents.

The slope is that within agents, shrunk to what is believed at first: how much more does an agent earn on texts that lie nearer
to its description than usual? What is usual is the agent's own mean, shrunk to that of all, so an agent whose description
lies near everything gains nothing by that once it is known.
"""

from typing import Self

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
SUMS = COUNT, FIT, SQUARE, REWARD, BOTH = range(5)
SLOPE, SPREAD, NOISE = 0.5, 0.5, 0.2  # the slope believed at first and its deviation; variance of a reward around its mean
USUAL, TRUST = 0.2, 10.0  # the fit held to be usual at first, and how many outcomes of an agent weigh as much as all others


class Likening:
    """Sums by agent (one column each, sorted by id), and what follows from them."""

    def __init__(self, sums: Vector | None = None) -> None:
        self.sums = np.zeros((len(SUMS), 0)) if sums is None else sums.copy()
        self._refresh()

    def join(self, row: int) -> None:
        """Make room for an agent that nobody knew, at this row."""
        self.sums = np.insert(self.sums, row, 0.0, axis=1)
        self._refresh()

    def add(self, row: int, fit: float, reward: float) -> None:
        """Take in one outcome."""
        self.sums[:, row] += (1.0, fit, fit * fit, reward, fit * reward)
        self._refresh()

    def move(self, row: int, fit: float, change: float) -> None:
        """Change the reward of an outcome that is in already."""
        self.sums[REWARD, row] += change
        self.sums[BOTH, row] += fit * change
        self._refresh()

    def forget(self, row: int) -> None:
        """Let an agent stand where nobody had tried it."""
        self.sums[:, row] = 0.0
        self._refresh()

    def worth(self, fits: Vector, rows: NDArray[np.intp]) -> Vector:
        """Return what fits of these agents (-1: never met) are worth above what is usual; nothing where the fit is NaN."""
        found: Vector = self.slope * (fits - self._usual.take(rows))
        return np.where(np.isnan(found), 0.0, found)

    @classmethod
    def load(cls, sums: Vector) -> Self:
        """Continue from sums."""
        return cls(sums)

    def _refresh(self) -> None:
        counts, fits, squares, rewards, both = self.sums
        some = np.maximum(counts, 1.0)
        spread = float(np.add.reduce(squares - fits * fits / some))
        common = float(np.add.reduce(both - fits * rewards / some))
        trust = NOISE / SPREAD**2
        self.slope = max(0.0, (common + trust * SLOPE) / (spread + trust))
        all_usual = (float(np.add.reduce(fits)) + TRUST * USUAL) / (float(np.add.reduce(counts)) + TRUST)
        self._usual = np.empty(len(counts) + 1)
        np.divide(fits + TRUST * all_usual, counts + TRUST, out=self._usual[:-1])
        self._usual[-1] = all_usual
