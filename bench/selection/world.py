"""What a policy may know: the scores it has earned, and not before they are due.

Everything a learner is told in a replay comes through here, so a score that nobody earned cannot leak.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from learning.errors import LearningError

Matrix = NDArray[np.float64]


class ScoreNotEarned(LearningError):
    """A score was asked for that belongs to an agent nobody chose, or that is not due yet."""


class Outcome(NamedTuple):
    """What became known: the task (by its place in the stream), the agent, its propensity, its reward."""

    step: int
    agent: str
    propensity: float
    reward: float


class World:
    """Rewards of a stream in its order; `calibrate` tasks are given to all agents, and outcomes come `delay` tasks later."""

    def __init__(self, rewards: Matrix, columns: Mapping[str, int], *, delay: int = 0, calibrate: int = 0) -> None:
        self._rewards, self._columns = rewards, dict(columns)
        self._delay, self._calibrate = delay, calibrate
        self._chosen: list[tuple[str, float]] = []

    @property
    def agents(self) -> list[str]:
        """The candidates, sorted."""
        return sorted(self._columns)

    def choose(self, agent: str, propensity: float) -> None:
        """Give the next task to an agent."""
        self._chosen.append((agent, propensity))

    def due(self) -> Iterator[Outcome]:
        """Yield what becomes known after the newest choice: outcomes of the task chosen `delay` tasks before."""
        step = len(self._chosen) - 1 - self._delay
        if step < 0:
            return
        chosen, propensity = self._chosen[step]
        for agent in self.agents if step < self._calibrate else [chosen]:
            yield Outcome(step, agent, 1.0 if step < self._calibrate else propensity, self.reward(step, agent))

    def reward(self, step: int, agent: str) -> float:
        """Return what an agent earned for a task.

        Raises:
            ScoreNotEarned: it was not chosen for it, or the outcome is not due yet.
        """
        if step + self._delay >= len(self._chosen):
            raise ScoreNotEarned(f"the outcome of task {step} is not due before choice {step + self._delay + 1}")
        if step >= self._calibrate and self._chosen[step][0] != agent:
            raise ScoreNotEarned(f"{agent} was not chosen for task {step}, so nobody knows what it would have earned")
        return float(self._rewards[step, self._columns[agent]])
