"""Whether an agent has become worse: by how much it earned less than expected, summed up, and what happened meanwhile.

G = max(0, G + expected - reward - SLACK) for whoever was tried TRIED times or more (Page, Biometrika 41, 1954). Above the
alarm all outcomes of the agent but those since G was last zero count no longer: that is when it became worse, as far as
can be told. Of an agent that fell it is remembered which of its newest outcomes count, so that a correction of one that
does not changes nothing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from learning.errors import UnreadableState

Vector = NDArray[np.float64]
SLACK, TRIED = 0.15, 30.0  # how much less than expected is nothing, and how often an agent must have been tried to be watched
MOST = 200  # outcomes that are held to be of a worse agent; an alarm takes some tens
REMEMBERED = 1000  # outcomes of an agent that fell which can be corrected
_FIGURES = 3


class Outcome(NamedTuple):
    """What an agent earned at a point."""

    point: Vector
    reward: float


class Watch:
    """How often each agent was tried, and its G; rows of agents stand in the order of their ids. Alarm 0: it only counts."""

    def __init__(self, alarm: float) -> None:
        self._alarm = alarm
        self._figures = np.zeros((_FIGURES, 0))
        self._since: list[list[Outcome]] = []
        self._kept: list[list[float]] = []

    @property
    def counts(self) -> Vector:
        """How many outcomes of each agent count."""
        counts: Vector = self._figures[0]
        return counts

    def join(self, row: int) -> None:
        """Make room for an agent that nobody knew, at this row."""
        self._figures = np.insert(self._figures, row, 0.0, axis=1)
        self._since.insert(row, [])
        self._kept.insert(row, [])

    def add(self, row: int, told: Outcome, expected: float) -> bool:
        """Take in one outcome; say whether it is the last straw."""
        watched = self._alarm > 0.0 and self._figures[0, row] >= TRIED
        self._figures[0, row] += 1.0
        if self._fell(row):
            self._kept[row] = [*self._kept[row], _mark(told.point)][-REMEMBERED:]
        return watched and self._worries(row, told, expected)

    def fall(self, row: int) -> Sequence[Outcome]:
        """Let the outcomes before the agent became worse count no longer; return those that still do."""
        still = self._since[row]
        self._figures[:, row] = len(still), 0.0, 1.0
        self._since[row], self._kept[row] = [], [_mark(one.point) for one in still]
        return still

    def move(self, row: int, old: Outcome, reward: float) -> bool:
        """Replace the reward of an outcome; say whether it counts at all."""
        if self._fell(row) and _mark(old.point) not in self._kept[row]:
            return False
        since = self._since[row]
        for at in reversed(range(len(since))):
            if since[at].reward == old.reward and (since[at].point == old.point).all():
                since[at] = Outcome(old.point, reward)
                break
        return True

    def of_agent(self, row: int) -> bytes:
        """Return what is kept of one agent, little-endian as in a state."""
        since = [value for one in self._since[row] for value in (np.array([one.reward]), one.point)]
        parts = [self._figures[:, row], np.array(self._kept[row]), *since]
        return b"".join(np.asarray(part, dtype="<f8").tobytes() for part in parts)

    def arrays(self) -> dict[str, Vector]:
        """Return what the watch consists of: figures by agent, then outcomes (row, reward, point) and marks (row, mark)."""
        since = [np.array([row, one.reward, *one.point]) for row, some in enumerate(self._since) for one in some]
        kept = [np.array([row, mark]) for row, some in enumerate(self._kept) for mark in some]
        return {"watched": self._figures, "since": np.array(since), "kept": np.array(kept)}

    @classmethod
    def of(cls, arrays: Mapping[str, Vector], alarm: float) -> Self:
        """Continue from arrays; raises UnreadableState where something belongs to no agent."""
        found = cls(alarm)
        found._figures = arrays["watched"].copy()
        agents = found._figures.shape[1]
        found._since, found._kept = [[] for _ in range(agents)], [[] for _ in range(agents)]
        for row, reward, *point in arrays["since"].tolist():
            found._since[_row(row, agents)].append(Outcome(np.array(point), reward))
        for row, mark in arrays["kept"].tolist():
            found._kept[_row(row, agents)].append(mark)
        return found

    @staticmethod
    def fits(arrays: Mapping[str, Vector], agents: int, width: int) -> bool:
        """Say whether arrays have the shapes of `arrays` for so many agents and points of this width."""
        figures, since, kept = (arrays[name].shape for name in ("watched", "since", "kept"))
        return figures == (_FIGURES, agents) and since in {(0,), (since[0], width + 2)} and kept in {(0,), (kept[0], 2)}

    def _fell(self, row: int) -> bool:
        return bool(self._figures[2, row])

    def _worries(self, row: int, told: Outcome, expected: float) -> bool:
        worry = max(0.0, float(self._figures[1, row]) + expected - told.reward - SLACK)
        self._figures[1, row] = worry
        self._since[row] = [*self._since[row], told][-MOST:] if worry > 0.0 else []
        return worry > self._alarm


def _row(row: float, agents: int) -> int:
    if row not in range(agents):
        raise UnreadableState("an outcome of a state belongs to no agent")
    return int(row)


def _mark(point: Vector) -> float:
    """Return what tells a point from others: 48 bits of its sha256, which a float holds exactly."""
    return float(int.from_bytes(hashlib.sha256(np.asarray(point, dtype="<f8").tobytes()).digest()[:6], "big"))
