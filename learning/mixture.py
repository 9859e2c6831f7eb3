"""What is learned of agents and texts: a regression that is fast, a forest that is strong, and who has become worse.

What an agent is expected to earn is its level, moved by the text. The level is the regression's: what the agent would earn on
a text in the middle, so whoever was tried on hard texts only is not held to be bad. The text's part is w by the regression and
1 - w by the forest, with w = blend x 600 / (600 + examples). A new forest is begun at 60 records and whenever there are half as
many again, and stands once its last tree is grown; in between the leaves' sums of the one that stands move. A watch sums up by
how much an agent earns less than was expected of it; an alarm forgets what the agent did before, and begins a planting without
it. All that is not a sum over records is either kept in `arrays` or planted again from the records as they were.
"""

import bisect
import hashlib
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from msgspec import Struct

from learning.forest import Forest
from learning.joint import LEVEL, JointRegression
from learning.memory import REWARD, Memory, Points, Vector, Whole, whole
from learning.planting import Planting
from learning.trust import trust

FIRST, GROWTH = 60, 1.5  # records of the first planting, and how many times as many call for the next
HALF_LIFE = 600.0  # examples after which the regression's weight is half of what it was
SLACK, TRIED = 0.15, 30.0  # how much less than expected is nothing, and how often an agent must have been tried to be watched
MAPPED, LEADING = 65, ((0, 6), (24, 4), (40, 6))  # width of the shipped context map, and where its parts begin
_AGENT = ("counts", "earned", "worry", "calm", "fallen", "grown", "sown")
COUNTED, EARNED, WORRY, CALM, FALLEN, GROWN, SOWN = range(len(_AGENT))  # fallen: since the trees were sown; levels as they were


class Habits(Struct, frozen=True):
    """How it learns: trees of a planting, records of a leaf, records kept, what alarms (0: nothing), the regression's weight."""

    trees: int
    least: int
    keep: int
    alarm: float
    blend: float


class Expected(Struct, frozen=True, eq=False):
    """What agents are expected to earn, in parts, by row (`forest` and `linear` by text, too); the last is an agent never met."""

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
        self._strange = np.array([LEVEL, LEVEL])  # levels of an agent never met: when what stands was begun, and what grows
        self._planted_trust: float | None = None
        self._chain, self._seal = bytes(32), bytes(32)
        self._refresh()

    @property
    def counts(self) -> Vector:
        """How many records of each agent count, the last of one never met."""
        return np.append(self._figures[COUNTED], 0.0)

    @property
    def trust(self) -> float:
        """How many records an agent needs to stand half-way between what all are worth and what it earned itself."""
        return self._trust

    @property
    def levels(self) -> Vector:
        """What agents earn on a text in the middle, the last one never met."""
        return self._joint.levels

    def row(self, agent: str) -> int:
        """Return an agent's row, -1 for one never met."""
        return self._rows.get(agent, -1)

    def expect(self, points: Points) -> Expected:
        """Return what everybody is expected to earn on each of these texts."""
        return self._expect(self._seen(points), None if self._forest is None else self._forest.leaves_of(points))

    def _expect(self, seen: Vector, leaves: Whole | None) -> Expected:
        levels, share = self.levels, self._habits.blend * HALF_LIFE / (HALF_LIFE + self._examples)
        linear = share * (self._joint.worth(seen) - levels)
        if self._forest is None or leaves is None:
            forest = np.zeros_like(linear)
        else:
            forest = (1.0 - share) * (self._forest.worth(leaves, levels) - levels)
        pooled = float(levels[-1])
        return Expected(pooled, levels - pooled, forest, linear)

    def add(self, point: Points, agent: str, reward: float) -> None:
        """Take in one outcome."""
        row, earned = self._met(agent), whole(reward)
        self._link(point, agent, earned)
        self._examples += 1
        seen, leaves = self._seen(point), None if self._forest is None else self._forest.leaves(point)
        alarmed = self._watch(seen, leaves, row, earned / REWARD)
        self._memory.add(point, row, earned, self._examples)
        self._figures[COUNTED, row] += 1.0
        self._figures[EARNED, row] += earned
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
        self._figures[EARNED, row] += after - before
        self._joint.move(self._seen(point), row, (after - before) / REWARD)
        if self._forest is not None:
            self._forest.move(self._forest.leaves(point), row, after - before)
        self._refresh()

    def essence(self) -> dict[str, Vector]:
        """Return little that stands for all: the sums, and hashes of what was taken in and of the forest as it was planted."""
        hashes = np.frombuffer(self._chain + self._seal, dtype=np.uint8).astype(np.float64)
        grown = 0 if self._planting is None else self._planting.grown
        progress = np.array([self._examples, self._planted, self._begun, grown, *self._strange])
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
        found._examples, found._planted, found._begun, grown = (int(number) for number in arrays["progress"][:4])
        found._strange = arrays["progress"][4:].copy()
        hashes = arrays["hashes"].astype(np.uint8).tobytes()
        found._memory, found._joint = Memory.of(arrays, width), JointRegression.of(arrays, len(found._axes) + 1)
        found._chain = hashes[:32]
        if found._planted:
            found._stand_again()
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
            "progress": (6,),
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
        if self._habits.alarm <= 0.0 or self._figures[COUNTED, row] < TRIED:
            return False
        lacking = float(self._expect(seen, leaves).means[row]) - reward
        worry = max(0.0, float(self._figures[WORRY, row]) + lacking - SLACK)
        self._figures[WORRY, row] = worry
        if worry == 0.0:
            self._figures[CALM, row] = self._examples
        return worry > self._habits.alarm

    def _forget(self, row: int) -> None:
        """Drop what an agent did before it became worse: at once where it is summed up, from the trees with the next planting."""
        memory = self._memory
        memory.drop((memory.rows == row) & (memory.numbers <= self._figures[CALM, row]))
        kept = np.flatnonzero((memory.rows == row) & memory.live)
        points, rewards = memory.points[kept], memory.rewards[kept]
        self._figures[[COUNTED, EARNED, WORRY, FALLEN], row] = len(kept), rewards.sum(), 0.0, 1.0
        self._joint.forget(row, [self._seen(point) for point in points], (rewards / REWARD).tolist())
        if self._forest is not None:
            self._forest.forget(row)
            for point, reward in zip(points, rewards.tolist(), strict=True):
                self._forest.add(self._forest.leaves(point), row, reward)
        self._planting, self._begun = None, 0
        if self._live >= FIRST:
            self._begin()

    @property
    def _live(self) -> float:
        """How many records count."""
        return float(self._figures[COUNTED].sum())

    def _tend(self) -> None:
        """Begin a planting that is due, or go on with the one that was begun."""
        if self._planting is not None:
            self._planting.grow()
            if self._planting.done:
                self._take_over(self._planting)
        elif self._live >= max(FIRST, GROWTH * self._planted):
            self._begin()

    def _begin(self) -> None:
        """Begin a planting on the newest records, and remember what it starts from."""
        self._memory.sown[:] = self._memory.rewards
        self._begun = len(self._memory)
        self._figures[SOWN], self._strange[1] = self.levels[:-1], self.levels[-1]
        self._planting = self._sow()

    def _sow(self) -> Planting:
        return self._planting_on(self._of_sown(), self._memory.sown, np.append(self._figures[SOWN], self._strange[1]))

    def _of_sown(self) -> Whole:
        """Return which records are in the planting that was begun: the newest that counted then (an alarm begins another)."""
        return np.flatnonzero(self._memory.live[: self._begun])[-self._habits.keep :]

    def _take_over(self, planting: Planting) -> None:
        """Let a planting that is done be the forest, and let go of records that are too old for it or count no longer."""
        memory, sown = self._memory, self._of_sown()
        memory.keep(memory.live & (np.arange(len(memory)) >= sown[0]))
        counts = np.bincount(memory.rows, minlength=len(self.agents))
        self._figures[COUNTED], self._figures[EARNED] = counts, np.bincount(memory.rows, memory.rewards, len(self.agents))
        self._figures[FALLEN], self._figures[GROWN], self._strange[0] = 0.0, self._figures[SOWN], self._strange[1]
        memory.grown[:] = memory.sown
        self._planted, self._begun, self._planting = len(sown), 0, None
        self._stand(planting)

    def _stand(self, planting: Planting) -> None:
        """Let a planting be the forest: its trees, and in their leaves all records that count."""
        memory, live = self._memory, self._memory.live
        self._forest, self._planted_trust, self._seal = planting.forest(len(self.agents)), planting.trust, planting.seal()
        for row in np.flatnonzero(self._figures[FALLEN]).tolist():
            self._forest.forget(row)
        self._forest.fill(memory.points[live], memory.rows[live], memory.rewards[live])

    def _stand_again(self) -> None:
        """Plant the forest that stood once more."""
        levels = np.append(self._figures[GROWN], self._strange[0])
        planting = self._planting_on(np.arange(self._planted), self._memory.grown, levels)
        planting.grow(self._habits.trees)
        self._stand(planting)

    def _planting_on(self, which: Whole, rewards: Vector, levels: Vector) -> Planting:
        memory, habits = self._memory, self._habits
        return Planting(memory.points[which], memory.rows[which], rewards[which], levels, habits.trees, habits.least)

    def _link(self, point: Points, agent: str, *rewards: float) -> None:
        """Add one thing that was taken in to the chain of them all."""
        told = hashlib.sha256(self._chain)
        told.update(point.tobytes())
        told.update(repr((agent, rewards)).encode())
        self._chain = told.digest()

    def _seen(self, point: Points) -> Vector:
        """Return a context, or each of many, as the regression sees it: a one for the level, then the leading axes."""
        return np.concatenate([np.ones((*point.shape[:-1], 1)), point.take(self._axes, axis=-1)], axis=-1)

    def _refresh(self) -> None:
        self._trust = self._planted_trust or trust(self._figures[COUNTED], self._figures[EARNED] / REWARD)


def leading(width: int) -> Whole:
    """Return which numbers of a context the regression sees; the last one, a bias, never.

    Of the shipped map's width it is the first axes of each part, which hold most of the spread; else the first ones there are.
    """
    if width == MAPPED:
        return np.concatenate([np.arange(start, start + count) for start, count in LEADING])
    return np.arange(min(width - 1, sum(count for _, count in LEADING)))
