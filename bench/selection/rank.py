"""How soon does an agent that begins to fail lose its rank, and how soon has it that back after repair?

The best agent's scores shrink after two fifths of the stream and are what they were after three fifths. It has its rank
while it is the favourite for at least half as many of the last `WINDOW` texts as it was just before it failed.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.selection.course import FAILING, Course, Order, learner_of, walk
from bench.selection.learner import Entry
from bench.selection.world import World

WINDOW = 50


class Rank(NamedTuple):
    """Whether the agent had a rank; tasks until it had lost it and, after repair, had it again, and how often it was tried then.

    None: it did not happen.
    """

    ranked: bool
    lost: int | None = None
    regained: int | None = None
    tries: int | None = None


def rank(course: Course, entry: Entry, seed: int) -> Rank:
    """Let the best agent fail and recover in one order, and watch whose favourite it is."""
    order = Order.of(seed, len(course.stream.keys), len(course.stream.agents))
    stream = course.stream.rows(order.rows)
    rewards = course.rewards(stream).copy()
    fails, repaired = 2 * len(rewards) // 5, 3 * len(rewards) // 5
    best = int(rewards[:fails].mean(axis=0).argmax())
    rewards[fails:repaired, best] *= FAILING
    world = World(rewards, order.columns)
    steps = list(walk(learner_of(entry, stream, world.agents, seed), world, stream, order))
    name = next(agent for agent, column in order.columns.items() if column == best)
    favourite = np.array([step.decision.favourite == name for step in steps])
    tried = np.array([step.agent == name for step in steps])
    return _rank(favourite, tried, fails, repaired)


def _rank(favourite: NDArray[np.bool_], tried: NDArray[np.bool_], fails: int, repaired: int) -> Rank:
    before = int(favourite[fails - WINDOW : fails].sum())
    if before == 0:
        return Rank(ranked=False)
    recent = np.convolve(favourite, np.ones(WINDOW))[: len(favourite)]  # of the texts up to each, itself included
    lost = _first(recent[fails:repaired] < before / 2.0)
    back = None if lost is None else _first(recent[repaired:] >= before / 2.0)
    return Rank(True, lost, back, None if back is None else int(tried[repaired : repaired + back].sum()))


def _first(happened: NDArray[np.bool_]) -> int | None:
    """Return after how many tasks it happened first."""
    return int(happened.argmax()) + 1 if happened.any() else None
