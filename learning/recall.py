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
_ONE = _SCALE * _SCALE


class Outcome(Struct, frozen=True, eq=False):
    """One outcome as it is kept."""

    context: Context
    reward: float
    number: int
    fit: float


class _Line:
    """Slots in a row, the oldest first, as an array that need not be made anew to be looked at."""

    def __init__(self) -> None:
        self._held, self._first, self._last = np.empty(16, np.intp), 0, 0

    def __len__(self) -> int:
        return self._last - self._first

    @property
    def slots(self) -> Slots:
        """The slots, valid until the line moves."""
        return self._held[self._first : self._last]

    def append(self, slot: int) -> None:
        """Take in the newest."""
        if self._last == len(self._held):
            count = len(self)
            held = np.empty(2 * count + 16, np.intp)
            held[:count] = self.slots
            self._held, self._first, self._last = held, 0, count
        self._held[self._last] = slot
        self._last += 1

    def shift(self) -> None:
        """Let go of the oldest."""
        self._first += 1

    def rename(self, slot: int, other: int) -> None:
        """Put a slot in the place of another one."""
        self.slots[self.slots == slot] = other


class Recall:
    """The outcomes kept, in slots; rows are those of agents, sorted by id.

    Of each row its slots are known in the order of their examples: looking for them would take longer than what they are for.
    """

    def __init__(self, width: int, keep: int, least: float) -> None:
        self._size, self._least, self._cut = 0, least, np.float32(np.floor(least * _ONE))
        self._mine: list[_Line] = []
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
        """Return the slots of an agent, the oldest first; valid until the next outcome."""
        return self._line(row).slots

    def newest(self, row: int, most: int) -> Slots:
        """Return the slots of an agent's newest outcomes, the very newest last."""
        return self._line(row).slots[-most:]

    def near(self, context: Context, agents: int) -> Vector:
        """Return by agent the sum of its rewards weighted by likeness to a text, and of these weights; last one never met."""
        found, products = np.zeros((2, agents + 1)), self._units[: self._size] @ _unit(context)
        alike = np.flatnonzero(products > self._cut)  # hardly any where texts are new
        if len(alike):
            likes, rows = self._likes(products.take(alike)), self._rows.take(alike)
            found[0] = np.bincount(rows, likes * self._figures[REWARD].take(alike), agents + 1)
            found[1] = np.bincount(rows, likes, agents + 1)
        return found

    def join(self, row: int) -> None:
        """Make room for an agent that nobody knew, at this row."""
        self._rows += self._rows >= row
        if row < len(self._mine):
            self._mine.insert(row, _Line())

    def add(self, row: int, outcome: Outcome, lever: float) -> None:
        """Keep one outcome more."""
        if self._size == len(self._rows):
            self._let_go()
        unit, at, mine = _unit(outcome.context), self._size, self.of(row)
        likes = self._likes(self._units.take(mine, axis=0) @ unit)
        among = np.zeros(at)  # sums go over all slots, so that none of their bits depends on whose outcomes lie where
        among[mine] = likes
        figures = (outcome.reward, outcome.number, outcome.fit, lever, _sum(among * self.figures[REWARD]), _sum(among))
        self._tell(mine, likes, outcome.reward, 1.0)
        self._line(row).append(at)
        self._contexts[at], self._units[at], self._rows[at], self._figures[:, at] = outcome.context, unit, row, figures
        self._size += 1

    def move(self, context: Context, row: int, old: float, new: float) -> int | None:
        """Change the reward of the newest outcome of this context, agent and reward, if it is still kept; return its slot."""
        slots = self.of(row)
        same = slots[(self._figures[REWARD, slots] == old) & (self._contexts[slots] == context).all(axis=1)]
        if not len(same):
            return None
        at = int(same[self._figures[NUMBER, same].argmax()])
        self._tell(slots, self._likes_but(at, slots), new - old, 0.0)
        self._figures[REWARD, at] = new
        return at

    def take(self, row: int, after: float) -> list[Outcome]:
        """Forget all outcomes of an agent; return those of examples after one, in their order."""
        slots = self.of(row)
        found = [self._outcome(at) for at in slots[self._figures[NUMBER, slots] > after].tolist()]
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
        found._find()
        return found

    def _outcome(self, at: int) -> Outcome:
        reward, number, fit = self._figures[[REWARD, NUMBER, FIT], at].tolist()
        return Outcome(self._contexts[at].copy(), reward, int(number), fit)

    def _let_go(self) -> None:
        """Forget the oldest outcome of whoever has most, the first by id; the last slot takes its place."""
        mine = max(self._mine, key=len)
        at, slots = int(mine.slots[0]), mine.slots
        self._tell(slots, self._likes_but(at, slots), -float(self._figures[REWARD, at]), -1.0)
        mine.shift()
        last = self._size - 1
        if at != last:
            self._mine[int(self._rows[last])].rename(last, at)
        self._contexts[at], self._units[at], self._rows[at] = self._contexts[last], self._units[last], self._rows[last]
        self._figures[:, at] = self._figures[:, last]
        self._size = last

    def _tell(self, slots: Slots, likes: Vector, reward: float, times: float) -> None:
        """Let outcomes know of one that is like them so much."""
        self._figures[EARNED, slots] += likes * reward
        self._figures[LIKENESS, slots] += likes * times

    def _likes_but(self, at: int, slots: Slots) -> Vector:
        """Return how like the outcomes of a slot's agent are to it, itself left out."""
        likes = self._likes(self._units.take(slots, axis=0) @ self._units[at])
        likes[slots == at] = 0.0
        return likes

    def _line(self, row: int) -> _Line:
        """Return the slots of an agent."""
        while len(self._mine) <= row:
            self._mine.append(_Line())
        return self._mine[row]

    def _find(self) -> None:
        """Find everybody's slots anew."""
        self._mine = []
        for at in self.figures[NUMBER].argsort().tolist():
            self._line(int(self._rows[at])).append(at)

    def _keep(self, slots: Slots) -> None:
        self._size = len(slots)
        for whole in (self._contexts, self._units, self._rows):
            whole[: self._size] = whole[slots]
        self._figures[:, : self._size] = self._figures[:, slots]
        self._find()

    def _likes(self, products: Units) -> Vector:
        """Return likenesses by products of units, which are exact, whatever library multiplied."""
        found = products.astype(np.float64)
        found -= self._least * _ONE
        found *= 1.0 / ((1.0 - self._least) * _ONE)
        np.maximum(found, 0.0, out=found)
        found *= found
        found *= found
        return found


def _sum(values: Vector) -> float:
    return float(np.add.reduce(values))


def _unit(context: Context) -> Units:
    """Return a context without its bias at length one, as whole numbers of 2^-11."""
    values = context[:-1]
    length = float(np.sqrt(np.einsum("d,d->", values, values)))
    found: Units = np.rint(values * (_SCALE / length if length else 0.0)).astype(np.float32)
    return found
