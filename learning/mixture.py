"""What is learned of agents and texts: a regression that is fast, a forest that is strong, and who has become worse.

What an agent is expected to earn is its own mean, moved by the text: w by the regression and 1 - w by the forest, with
w = blend x 600 / (600 + examples). A new forest is begun at 60 records and whenever there are a quarter more, and stands once its
last tree is grown; in between the leaves' sums of the one that stands move. A watch sums up by how much an agent earns less
than was expected of it; an alarm forgets what the agent did before. All that is not a sum over records is either kept in
`arrays` or planted again from the records as they were.
"""

import bisect
import hashlib
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from msgspec import Struct

from learning.forest import Forest
from learning.joint import JointRegression
from learning.memory import REWARD, Memory, Points, Vector, Whole, whole
from learning.planting import Planting
from learning.roots import roots

FIRST, GROWTH = 60, 1.25  # records of the first planting, and how many times as many call for the next
HALF_LIFE = 600.0  # examples after which the regression's weight is half of what it was
SLACK, TRIED = 0.15, 30.0  # how much less than expected is nothing, and how often an agent must have been tried to be watched
MAPPED, LEADING = 65, ((0, 6), (24, 4), (40, 6))  # width of the shipped context map, and where its parts begin
_AGENT = ("counts", "earned", "worry", "calm")


class Habits(Struct, frozen=True):
    """How it learns: trees of a planting, records of a leaf, records kept, what alarms (0: nothing), the regression's weight."""

    trees: int
    least: int
    keep: int
    alarm: float
    blend: float


class Expected(Struct, frozen=True, eq=False):
    """What agents are expected to earn on a text, in parts, by row; the last row is an agent never met."""

    pooled: float
    agent: Vector
    forest: Vector
    linear: Vector

    @property
    def means(self) -> Vector:
        """The sum of the parts."""
        return (self.pooled + self.agent) + (self.forest + self.linear)


class Mixture:
    """The model; agents stand in the order of their ids, in every array."""

    def __init__(self, width: int, habits: Habits) -> None:
        self._width, self._habits = width, habits
        self.agents: list[str] = []
        self._rows: dict[str, int] = {}
        self._figures = np.zeros((len(_AGENT), 0))
        self._examples, self._planted = 0, 0
        self._memory = Memory(width)
        self._axes = leading(width)
        self._joint = JointRegression(len(self._axes) + 1)
        self._forest: Forest | None = None
        self._planting: Planting | None = None
        self._begun = 0  # records when it was begun
        self._trust: float | None = None
        self._chain, self._seal = bytes(32), bytes(32)
        self._refresh()

    @property
    def counts(self) -> Vector:
        """How many records of each agent count, the last of one never met."""
        return np.append(self._figures[0], 0.0)

    @property
    def trust(self) -> float:
        """How many records an agent needs to stand half-way between what all are worth and what it earned itself."""
        return self._roots.trust

    def row(self, agent: str) -> int:
        """Return an agent's row, -1 for one never met."""
        return self._rows.get(agent, -1)

    def expect(self, point: Points) -> Expected:
        """Return what everybody is expected to earn."""
        return self._expect(self._seen(point), None if self._forest is None else self._forest.leaves(point))

    def _expect(self, seen: Vector, leaves: Whole | None) -> Expected:
        means, share = self._roots.means, self._habits.blend * HALF_LIFE / (HALF_LIFE + self._examples)
        linear = share * (self._joint.worth(seen) - means)
        if self._forest is None or leaves is None:
            forest = np.zeros_like(linear)
        else:
            forest = (1.0 - share) * (self._forest.worth(leaves, means) - means)
        return Expected(self._roots.pooled, means - self._roots.pooled, forest, linear)

    def add(self, point: Points, agent: str, reward: float) -> None:
        """Take in one outcome."""
        row, earned = self._met(agent), whole(reward)
        self._link(point, agent, earned)
        self._examples += 1
        seen, leaves = self._seen(point), None if self._forest is None else self._forest.leaves(point)
        alarmed = self._watch(seen, leaves, row, earned / REWARD)
        self._memory.add(point, row, earned, self._examples)
        self._figures[0, row] += 1.0
        self._figures[1, row] += earned
        self._joint.add(seen, row, earned / REWARD)
        if self._forest is not None and leaves is not None:
            self._forest.add(leaves, row, earned)
        if alarmed:
            self._forget(row)
        else:
            self._tend()
        self._refresh()

    def move(self, point: Points, agent: str, old: float, new: float) -> None:
        """Replace the reward of an outcome; one that is forgotten by now stays forgotten."""
        row, before, after = self._rows[agent], whole(old), whole(new)
        self._link(point, agent, before, after)
        at = self._memory.find(point, row, before)
        if at is None:
            return
        self._memory.rewards[at] = after
        self._figures[1, row] += after - before
        self._joint.move(self._seen(point), row, (after - before) / REWARD)
        if self._forest is not None:
            self._forest.move(self._forest.leaves(point), row, after - before)
        self._refresh()

    def essence(self) -> dict[str, Vector]:
        """Return little that stands for all: the sums, and hashes of what was taken in and of the forest as it was planted."""
        hashes = np.frombuffer(self._chain + self._seal, dtype=np.uint8).astype(np.float64)
        grown = 0 if self._planting is None else self._planting.grown
        progress = np.array([self._examples, self._planted, self._begun, grown], np.float64)
        return {"agents": self._figures, "progress": progress, "hashes": hashes, **self._joint.arrays()}

    def arrays(self) -> dict[str, Vector]:
        """Return all that is needed to go on."""
        return {**self.essence(), **self._memory.arrays()}

    @classmethod
    def of(cls, agents: Sequence[str], arrays: Mapping[str, Vector], width: int, habits: Habits) -> Self:
        """Go on from arrays; the forest is planted again, so every bit comes back."""
        found = cls(width, habits)
        found.agents, found._rows = list(agents), {agent: row for row, agent in enumerate(agents)}
        found._figures = arrays["agents"].copy()
        found._examples, found._planted, found._begun, grown = (int(number) for number in arrays["progress"])
        hashes = arrays["hashes"].astype(np.uint8).tobytes()
        found._memory, found._joint = Memory.of(arrays, width), JointRegression.of(arrays, len(found._axes) + 1)
        found._chain = hashes[:32]
        found._stand()
        if found._begun:
            found._planting = found._sow()
            found._planting.grow(grown)
        found._refresh()
        return found

    @staticmethod
    def shapes(agents: int, records: int, width: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of `arrays`."""
        return {
            "agents": (len(_AGENT), agents),
            "progress": (4,),
            "hashes": (64,),
            **JointRegression.shapes(agents, len(leading(width)) + 1),
            **Memory.shapes(records, width),
        }

    def _met(self, agent: str) -> int:
        """Return an agent's row, making one if there is none yet."""
        if agent in self._rows:
            return self._rows[agent]
        row = bisect.bisect_left(self.agents, agent)
        self.agents.insert(row, agent)
        self._rows = {one: at for at, one in enumerate(self.agents)}
        self._figures = np.insert(self._figures, row, 0.0, axis=1)
        self._memory.join(row)
        self._joint.join(row)
        if self._forest is not None:
            self._forest.join(row)
        if self._planting is not None:
            self._planting.join(row)
        self._refresh()
        return row

    def _watch(self, seen: Vector, leaves: Whole | None, row: int, reward: float) -> bool:
        """Say whether this outcome is the last straw: the agent earns less than expected for too long."""
        if self._habits.alarm <= 0.0 or self._figures[0, row] < TRIED:
            return False
        lacking = float(self._expect(seen, leaves).means[row]) - reward
        worry = max(0.0, float(self._figures[2, row]) + lacking - SLACK)
        self._figures[2, row] = worry
        if worry == 0.0:
            self._figures[3, row] = self._examples
        return worry > self._habits.alarm

    def _forget(self, row: int) -> None:
        """Drop what an agent did before it became worse, and learn the rest again."""
        self._memory.keep((self._memory.rows != row) | (self._memory.numbers > self._figures[3, row]))
        self._figures[2, row] = 0.0
        self._joint = JointRegression(len(self._axes) + 1, len(self.agents))
        for point, owner, reward in zip(
            self._memory.points, self._memory.rows.tolist(), self._memory.rewards.tolist(), strict=True
        ):
            self._joint.add(self._seen(point), owner, reward / REWARD)
        self._mark()
        self._planting = None
        self._take_over()  # at once: what it did before must not be in the trees a moment longer

    def _tend(self) -> None:
        """Begin a planting that is due, or go on with the one that was begun."""
        if self._planting is not None:
            self._planting.tend()
            if self._planting.done:
                self._take_over()
        elif len(self._memory) >= max(FIRST, GROWTH * self._planted):
            self._begin()

    def _begin(self) -> None:
        """Begin a planting on the newest records."""
        self._mark()
        self._planting = self._sow()

    def _mark(self) -> None:
        """Remember which records there are, and what came of them as far as is known."""
        self._memory.sown[:] = self._memory.rewards
        self._begun = len(self._memory)

    def _sow(self) -> Planting:
        return self._planting_on(slice(self._surplus, self._begun), self._memory.sown)

    @property
    def _surplus(self) -> int:
        """How many of the oldest records go when the planting that was begun takes over."""
        return max(0, self._begun - self._habits.keep)

    def _take_over(self) -> None:
        """Let go of the oldest records beyond what is kept; what was begun is what stands from now on."""
        surplus = self._surplus
        if surplus:
            self._memory.keep(np.arange(len(self._memory)) >= surplus)
        counts = np.bincount(self._memory.rows, minlength=len(self.agents))
        self._figures[0], self._figures[1] = counts, np.bincount(self._memory.rows, self._memory.rewards, len(self.agents))
        self._memory.grown[:] = self._memory.sown
        begun, self._planting = self._planting, None
        self._planted, self._begun = self._begun - surplus, 0
        self._stand(begun)

    def _stand(self, planting: Planting | None = None) -> None:
        """Let a planting be the forest, the last one planted unless another is given; too few records make none."""
        self._forest, self._trust, self._seal = None, None, bytes(32)
        if self._planted < FIRST:
            return
        planting = planting or self._planting_on(slice(0, self._planted), self._memory.grown)
        planting.grow(self._habits.trees)
        self._forest, self._trust, self._seal = planting.forest(len(self.agents)), planting.trust, planting.seal()
        self._forest.fill(self._memory.points, self._memory.rows, self._memory.rewards)

    def _planting_on(self, which: slice, rewards: Vector) -> Planting:
        memory, habits = self._memory, self._habits
        return Planting(memory.points[which], memory.rows[which], rewards[which], habits.trees, habits.least)

    def _link(self, point: Points, agent: str, *rewards: float) -> None:
        """Add one thing that was taken in to the chain of them all."""
        told = hashlib.sha256(self._chain)
        told.update(point.tobytes())
        told.update(repr((agent, rewards)).encode())
        self._chain = told.digest()

    def _seen(self, point: Points) -> Vector:
        """Return a context as the regression sees it: a one for the level, then the leading axes."""
        return np.concatenate([[1.0], point.take(self._axes)])

    def _refresh(self) -> None:
        self._roots = roots(self._figures[0], self._figures[1] / REWARD, self._trust)


def leading(width: int) -> Whole:
    """Return which numbers of a context the regression sees; the last one, a bias, never.

    Of the shipped map's width it is the first axes of each part, which hold most of the spread; else the first ones there are.
    """
    if width == MAPPED:
        return np.concatenate([np.arange(start, start + count) for start, count in LEADING])
    return np.arange(min(width - 1, sum(count for _, count in LEADING)))
