"""The records that a policy has learned from and may need again: contexts, agents, rewards, in the order they came.

Rewards are whole numbers of 2^-20, so sums of them are exact in any order. `grown` is the reward that a record had when the
planting was begun that stands, `sown` when the next one was, so that both can be repeated after a reward was corrected.
For the same reason a record that no longer counts is kept until the planting that has it among its own is replaced.
"""

from collections.abc import Mapping
from typing import Self

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Points = NDArray[np.float32]
Whole = NDArray[np.int64]
REWARD = 2.0**20
_ROOM = 256
_FIGURES = 5


def whole(reward: float) -> float:
    """Return a reward as a whole number of 2^-20."""
    return float(round(reward * REWARD))


class Memory:
    """Growing columns: `points`, `rows` (of agents), `rewards`, `grown`, `sown`, `numbers` (of examples, from 1), `live`."""

    def __init__(self, width: int) -> None:
        self._size = 0
        self._points = np.zeros((_ROOM, width), np.float32)
        self._rows = np.zeros(_ROOM, np.int64)
        self._figures = np.zeros((_FIGURES, _ROOM))

    def __len__(self) -> int:
        return self._size

    @property
    def points(self) -> Points:
        """The contexts, one a row."""
        return self._points[: self._size]

    @property
    def rows(self) -> Whole:
        """Whose outcome each record is."""
        return self._rows[: self._size]

    @property
    def rewards(self) -> Vector:
        """What came of it, as known now."""
        return self._figures[0, : self._size]

    @property
    def grown(self) -> Vector:
        """What was held to have come of it when the planting that stands was begun."""
        return self._figures[1, : self._size]

    @property
    def sown(self) -> Vector:
        """What was held to have come of it when the next planting was begun."""
        return self._figures[2, : self._size]

    @property
    def numbers(self) -> Vector:
        """Which example each record was."""
        return self._figures[3, : self._size]

    @property
    def live(self) -> NDArray[np.bool_]:
        """Whether each record still counts."""
        return self._figures[4, : self._size] > 0.0

    def drop(self, which: NDArray[np.bool_]) -> None:
        """Let records count no longer."""
        self._figures[4, : self._size][which] = 0.0

    def add(self, point: Points, row: int, reward: float, number: int) -> None:
        """Append a record."""
        if self._size == len(self._rows):
            self._double()
        at = self._size
        self._points[at], self._rows[at], self._figures[:, at] = point, row, (reward, reward, reward, number, 1.0)
        self._size += 1

    def find(self, point: Points, row: int, reward: float) -> int | None:
        """Return the newest record of this context, agent and reward, if it still counts."""
        likely = np.flatnonzero((self.rows == row) & (self.rewards == reward) & self.live)
        same = likely[(self.points[likely] == point).all(axis=1)]
        return int(same[-1]) if len(same) else None

    def join(self, row: int) -> None:
        """Make room for an agent that nobody knew, at this row."""
        self._rows[: self._size] += self.rows >= row

    def keep(self, which: NDArray[np.bool_]) -> None:
        """Forget all other records."""
        points, rows, figures = self.points[which], self.rows[which], self._figures[:, : self._size][:, which]
        self._size = len(rows)
        self._points[: self._size], self._rows[: self._size], self._figures[:, : self._size] = points, rows, figures

    def arrays(self) -> dict[str, Vector]:
        """Return what the memory consists of."""
        return {
            "points": self.points.astype(np.float64),
            "rows": self.rows.astype(np.float64),
            "figures": self._figures[:, : self._size].copy(),
        }

    @staticmethod
    def shapes(records: int, width: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of `arrays`."""
        return {"points": (records, width), "rows": (records,), "figures": (_FIGURES, records)}

    @classmethod
    def of(cls, arrays: Mapping[str, Vector], width: int) -> Self:
        """Continue from arrays."""
        found = cls(width)
        found._points = arrays["points"].astype(np.float32).reshape(-1, width)
        found._rows = arrays["rows"].astype(np.int64)
        found._figures = arrays["figures"].reshape(_FIGURES, -1).copy()
        found._size = len(found._rows)
        return found

    def _double(self) -> None:
        room = max(len(self._rows), _ROOM)
        self._points = np.concatenate([self._points, np.zeros((room, self._points.shape[1]), np.float32)])
        self._rows = np.concatenate([self._rows, np.zeros(room, np.int64)])
        self._figures = np.concatenate([self._figures, np.zeros((_FIGURES, room))], axis=1)
