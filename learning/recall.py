"""Memory of what was tried: the newest outcomes, bounded, and how near the text of each lies to any other.

Likeness of two texts: ((cos - least) / (1 - least))^4 of their contexts without the bias, nothing below `least`. Contexts are
compared as whole numbers of 2^-11: their products are exact in float32, in whatever order they are added up.
Full, it lets go of the oldest outcome of whoever has most, so an agent that is rarely tried is remembered longest.
"""

from collections.abc import Mapping
from typing import Self

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from learning.policy import Context

Vector = NDArray[np.float64]
Slots = NDArray[np.intp]
Units = NDArray[np.float32]
# By slot: reward, number of the example, fit (NO_FIT: none), lever in the agent's regression, and of the agent's other
# outcomes the sum of rewards weighted by likeness and the sum of these weights.
FIGURES = REWARD, NUMBER, FIT, LEVER, EARNED, LIKENESS = range(6)
NO_FIT = -9.0
_SCALE = 2.0**11


class Outcome(Struct, frozen=True, eq=False):
    """One outcome as it is kept."""

    context: Context
    reward: float
    number: int
    fit: float


class Recall:
    """The outcomes kept, in slots; rows are those of agents, sorted by id."""

    def __init__(self, width: int, keep: int, least: float) -> None:
        self._size, self._least = 0, least
        self._contexts, self._units = np.zeros((keep, width)), np.zeros((keep, width - 1), np.float32)
        self._rows, self._figures = np.zeros(keep, np.intp), np.zeros((len(FIGURES), keep))

    def __len__(self) -> int:
        return self._size

    @property
    def contexts(self) -> Vector:
        """What was seen, one a row."""
        return self._contexts[: self._size]

    @property
    def rows(self) -> Slots:
        """Whose outcome each slot holds."""
        return self._rows[: self._size]

    @property
    def figures(self) -> Vector:
        """The figures, one column a slot."""
        return self._figures[:, : self._size]

    def of(self, row: int) -> Slots:
        """Return the slots of an agent."""
        return np.flatnonzero(self.rows == row)

    def near(self, context: Context, agents: int) -> Vector:
        """Return by agent the sum of its rewards weighted by likeness to a text, and the sum of these weights."""
        likes = self._likes(self._units[: self._size], _unit(context))
        earned = np.bincount(self.rows, likes * self.figures[REWARD], agents)
        return np.stack([earned, np.bincount(self.rows, likes, agents)])

    def join(self, row: int) -> None:
        """Make room for an agent that nobody knew, at this row."""
        self._rows += self._rows >= row

    def add(self, row: int, outcome: Outcome, lever: float) -> None:
        """Keep one outcome more."""
        if self._size == len(self._rows):
            self._let_go()
        slots, unit, at = self.of(row), _unit(outcome.context), self._size
        likes = self._likes(self._units[slots], unit)
        earned = float((likes * self._figures[REWARD, slots]).sum())
        self._figures[EARNED, slots] += likes * outcome.reward
        self._figures[LIKENESS, slots] += likes
        self._contexts[at], self._units[at], self._rows[at] = outcome.context, unit, row
        self._figures[:, at] = outcome.reward, outcome.number, outcome.fit, lever, earned, likes.sum()
        self._size += 1

    def move(self, context: Context, row: int, old: float, new: float) -> None:
        """Change the reward of the newest outcome of this context, agent and reward, if it is still kept."""
        slots = self.of(row)
        same = slots[(self._figures[REWARD, slots] == old) & (self._contexts[slots] == context).all(axis=1)]
        if len(same):
            at = same[self._figures[NUMBER, same].argmax()]
            others = slots[slots != at]
            self._figures[EARNED, others] += (new - old) * self._likes(self._units[others], self._units[at])
            self._figures[REWARD, at] = new

    def take(self, row: int, after: float) -> list[Outcome]:
        """Forget all outcomes of an agent; return those of examples after one, in their order."""
        slots = self.of(row)
        newer = slots[self._figures[NUMBER, slots] > after]
        found = [self._outcome(at) for at in newer[np.argsort(self._figures[NUMBER, newer])].tolist()]
        self._keep(np.flatnonzero(self.rows != row))
        return found

    def arrays(self) -> dict[str, Vector]:
        """Return what the memory consists of."""
        return {"contexts": self.contexts.copy(), "rows": self.rows.astype(np.float64), "figures": self.figures.copy()}

    @staticmethod
    def shapes(outcomes: int, width: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of `arrays`."""
        return {"contexts": (outcomes, width), "rows": (outcomes,), "figures": (len(FIGURES), outcomes)}

    @classmethod
    def load(cls, arrays: Mapping[str, Vector], width: int, keep: int, least: float) -> Self:
        """Continue from arrays, of at most `keep` outcomes."""
        found = cls(width, keep, least)
        found._size = len(arrays["rows"])
        found._contexts[: found._size], found._rows[: found._size] = arrays["contexts"], arrays["rows"]
        found._figures[:, : found._size] = arrays["figures"]
        for at, context in enumerate(arrays["contexts"]):
            found._units[at] = _unit(context)
        return found

    def _outcome(self, at: int) -> Outcome:
        reward, number, fit = self._figures[[REWARD, NUMBER, FIT], at].tolist()
        return Outcome(self._contexts[at].copy(), reward, int(number), fit)

    def _let_go(self) -> None:
        """Forget the oldest outcome of whoever has most, the first by id; the last slot takes its place."""
        slots = self.of(int(np.bincount(self.rows).argmax()))
        at = slots[self._figures[NUMBER, slots].argmin()]
        others = slots[slots != at]
        likes = self._likes(self._units[others], self._units[at])
        self._figures[EARNED, others] -= likes * self._figures[REWARD, at]
        self._figures[LIKENESS, others] -= likes
        last = self._size - 1
        self._contexts[at], self._units[at], self._rows[at] = self._contexts[last], self._units[last], self._rows[last]
        self._figures[:, at] = self._figures[:, last]
        self._size = last

    def _keep(self, slots: Slots) -> None:
        self._size = len(slots)
        for whole in (self._contexts, self._units, self._rows):
            whole[: self._size] = whole[slots]
        self._figures[:, : self._size] = self._figures[:, slots]

    def _likes(self, units: Units, unit: Units) -> Vector:
        cosine = np.einsum("nd,d->n", units, unit).astype(np.float64) / (_SCALE * _SCALE)
        square = np.square(np.maximum(cosine - self._least, 0.0) / (1.0 - self._least))
        found: Vector = square * square
        return found


def _unit(context: Context) -> Units:
    """Return a context without its bias at length one, as whole numbers of 2^-11."""
    values = context[:-1]
    length = float(np.sqrt(np.einsum("d,d->", values, values)))
    found: Units = np.rint(values * (_SCALE / length if length else 0.0)).astype(np.float32)
    return found
