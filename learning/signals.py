"""What tells what an agent will earn at a task: signals on one scale, reward above or below what all agents earn in the mean.

- match: the text lies nearer to the agent's description than usual (`learning.likening`);
- learned: a regression of the agent's rewards on the text, around its mean (`learning.heads`);
- history: the agent's mean, shrunk to that of all;
- memory: what the agent earned on like texts beyond what the learned score says of this one, the history where that is off
  (`learning.recall`); without any outcome on a like text it says nothing.
Their weights are those by which they would have added up best to the rewards of the outcomes remembered, each foretold
without itself (`learning.stacking`): what a signal explains only after the fact counts for nothing. An agent's share of the
sums that say so is worked out anew whenever it has an outcome more.

A watch sums up by how much an agent earns less than expected; beyond the alarm all is forgotten that it did before it
became worse, as in `learning.mixture`.
"""

import bisect
import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from learning.heads import RidgeHeads
from learning.likening import Likening
from learning.policy import Context, Contexts, Example
from learning.recall import EARNED, FIT, LEVER, LIKENESS, NO_FIT, REWARD, Outcome, Recall
from learning.stacking import weights

Vector = NDArray[np.float64]
NAMES = MATCH, LEARNED, HISTORY, MEMORY = "match", "learned", "history", "memory"
COUNT = len(NAMES)
SLACK, TRIED = 0.15, 30.0  # how much less than expected is nothing, and how often an agent must have been tried to be watched
_WATCH = TRIES, WORRY, CALM = range(3)


class Habits(Struct, frozen=True):
    """How it learns: penalty and trust of the regression, outcomes kept, likeness that begins to count, like outcomes' worth of
    trust in what is expected without them, weights at first (0: never) and how firmly, and what alarms (0: nothing)."""

    ridge: float
    trust: float
    keep: int
    least: float
    held: float
    start: tuple[float, float, float, float]
    firmness: float
    alarm: float


class Expected(Struct, frozen=True, eq=False):
    """What agents are expected to earn: the mean of all, and the signals, by text and agent."""

    pooled: float
    signals: Vector  # (signals, texts, agents)


class Signals:
    """The model; agents stand in the order of their ids, in every array."""

    def __init__(self, width: int, habits: Habits) -> None:
        self._habits, self._width = habits, width
        self.agents: list[str] = []
        self._rows: dict[str, int] = {}
        self._heads = RidgeHeads(width, habits.ridge, habits.trust)
        self._recall = Recall(width, habits.keep, habits.least)
        self._likening = Likening()
        self._watch = np.zeros((len(_WATCH), 0))
        self._sums = np.zeros((0, COUNT, COUNT + 1))  # by agent: products of signals, and of each with what came
        self.examples, self._chain = 0, bytes(32)
        self._weigh()

    @property
    def weights(self) -> list[float]:
        """The weights of the signals as they stand."""
        return self._weights

    def knows(self, agent: str) -> bool:
        """Say whether an example of this agent was ever taken in."""
        return agent in self._rows

    def expect(self, contexts: Contexts, agents: Sequence[str], fits: Vector) -> Expected:
        """Return what agents are expected to earn on each text; `fits` by text and agent, NaN where there is none."""
        rows = np.array([self._rows.get(agent, -1) for agent in agents])
        worth = self._heads.worth(contexts, agents)
        near = np.array([self._near(context, rows) for context in contexts]).reshape(-1, 2, len(rows)).transpose(1, 0, 2)
        history = np.broadcast_to(worth.agent, worth.text.shape)
        learned = worth.agent + worth.text
        memory = self._remembered(near, worth.pooled + (learned if self._is_learned else history))
        return Expected(worth.pooled, np.stack([self._likening.worth(fits, rows), learned, history, memory]))

    def add(self, example: Example) -> None:
        """Take in one outcome."""
        row = self._met(example.agent)
        self._link(example.agent, example.reward, example)
        self.examples += 1
        alarmed = self._is_last_straw(example, row)
        self._take_in(row, Outcome(example.context, example.reward, self.examples, _told(example.fit)))
        if alarmed:
            self._start_anew(row)
        self._judge(row)

    def move(self, example: Example, old: float) -> None:
        """Replace the reward of an outcome that was taken in before."""
        row, change = self._rows[example.agent], example.reward - old
        self._link(example.agent, old, example)
        self._heads.move(example.context, example.agent, change)
        self._recall.move(example.context, row, old, example.reward)
        if example.fit is not None:
            self._likening.move(row, example.fit, change)
        self._judge(row)

    def essence(self) -> dict[str, Vector]:
        """Return little that stands for all but the regression: sums, and a hash of all that was taken in."""
        chain = np.frombuffer(self._chain, np.uint8).astype(np.float64)
        progress = np.array([float(self.examples)])
        return {"progress": progress, "chain": chain, "watch": self._watch, "fits": self._likening.sums, "stacking": self._sums}

    def marks(self) -> list[bytes]:
        """Return a hash of each agent's regression."""
        return self._heads.marks()

    def arrays(self) -> dict[str, Vector]:
        """Return all that is needed to go on."""
        return {**self.essence(), **self._heads.arrays(), **self._recall.arrays()}

    @staticmethod
    def shapes(agents: int, outcomes: int, width: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of `arrays`."""
        own = {"progress": (1,), "chain": (32,), "watch": (len(_WATCH), agents), "fits": (5, agents)}
        heads = {"means": (agents, 2), "sums": (agents, 2, width), "inverses": (agents, width, width)}
        return {**own, "stacking": (agents, COUNT, COUNT + 1), **heads, **Recall.shapes(outcomes, width)}

    @classmethod
    def load(cls, agents: Sequence[str], arrays: Mapping[str, Vector], width: int, habits: Habits) -> Self:
        """Continue from arrays; what they imply is computed as it was, so every bit comes back."""
        found = cls(width, habits)
        found.agents, found._rows = list(agents), {agent: row for row, agent in enumerate(agents)}
        found._heads = RidgeHeads.of(agents, arrays, width, habits.ridge, habits.trust)
        found._recall = Recall.load(arrays, width, habits.keep, habits.least)
        found._likening = Likening(arrays["fits"])
        found._watch, found._sums = arrays["watch"].copy(), arrays["stacking"].copy()
        found.examples, found._chain = int(arrays["progress"][0]), arrays["chain"].astype(np.uint8).tobytes()
        found._weigh()
        return found

    @property
    def _is_learned(self) -> bool:
        """Whether the learned score plays a part."""
        return self._habits.start[NAMES.index(LEARNED)] > 0.0

    def _remembered(self, near: Vector, expected: Vector) -> Vector:
        """Return what like outcomes (their rewards by likeness, and likenesses) say beyond what is expected without them."""
        found: Vector = (near[0] - expected * near[1]) / (near[1] + self._habits.held)
        return found

    def _near(self, context: Context, rows: NDArray[np.intp]) -> Vector:
        """Return what like outcomes earned each of these agents, and their weight; nothing for one never met."""
        found = np.append(self._recall.near(context, len(self.agents)), np.zeros((2, 1)), axis=1)
        return found.take(rows, axis=1)

    def _met(self, agent: str) -> int:
        """Return an agent's row, making one if there is none yet."""
        if agent not in self._rows:
            row = bisect.bisect_left(self.agents, agent)
            self.agents.insert(row, agent)
            self._rows = {one: at for at, one in enumerate(self.agents)}
            self._watch = np.insert(self._watch, row, 0.0, axis=1)
            self._sums = np.insert(self._sums, row, 0.0, axis=0)
            self._likening.join(row)
            self._recall.join(row)
        return self._rows[agent]

    def _take_in(self, row: int, outcome: Outcome) -> None:
        """Let regression, memory and likening have one outcome more."""
        agent, recall = self.agents[row], self._recall
        lost = self._heads.add(outcome.context, agent, outcome.reward)
        slots = recall.of(row)
        recall.figures[LEVER, slots] -= np.square(np.einsum("nd,d->n", recall.contexts[slots], lost))
        recall.add(row, outcome, _lever(float(np.einsum("d,d->", outcome.context, lost))))
        if outcome.fit != NO_FIT:
            self._likening.add(row, outcome.fit, outcome.reward)
        self._watch[TRIES, row] += 1.0

    def _is_last_straw(self, example: Example, row: int) -> bool:
        """Say whether the agent has earned less than expected for too long."""
        if self._habits.alarm <= 0.0 or self._watch[TRIES, row] < TRIED:
            return False
        fits = np.array([[np.nan if example.fit is None else example.fit]])
        expected = self.expect(example.context[None], [example.agent], fits)
        score = expected.pooled + math.fsum(
            w * float(one) for w, one in zip(self.weights, expected.signals[:, 0, 0], strict=True)
        )
        worry = max(0.0, float(self._watch[WORRY, row]) + score - example.reward - SLACK)
        self._watch[WORRY, row] = worry
        if worry == 0.0:
            self._watch[CALM, row] = self.examples
        return worry > self._habits.alarm

    def _start_anew(self, row: int) -> None:
        """Forget what an agent did before it became worse."""
        kept = self._recall.take(row, float(self._watch[CALM, row]))
        self._heads.forget(self.agents[row])
        self._likening.forget(row)
        self._watch[:, row] = 0.0
        for outcome in kept:
            self._take_in(row, outcome)

    def _judge(self, row: int) -> None:
        """Work out an agent's share of the sums anew, and the weights."""
        recall, slots = self._recall, self._recall.of(row)
        figures = recall.figures[:, slots]
        rewards, pooled = figures[REWARD], self._heads.pooled
        means, text = self._heads.left_out(self.agents[row], recall.contexts[slots], rewards, figures[LEVER])
        expected = pooled + means + (text if self._is_learned else 0.0)
        memory = self._remembered(figures[[EARNED, LIKENESS]], expected)
        fits = np.where(figures[FIT] == NO_FIT, np.nan, figures[FIT])
        match = self._likening.worth(fits, np.full(len(slots), row))
        signals = np.stack([match, means + text, means, memory])
        self._sums[row] = np.einsum("in,jn->ij", signals, np.concatenate([signals, (rewards - pooled)[None]]))
        self._weigh()

    def _weigh(self) -> None:
        sums = self._sums.sum(axis=0).tolist()
        products, told = [row[:COUNT] for row in sums], [row[COUNT] for row in sums]
        self._weights = weights(products, told, self._habits.start, self._habits.firmness)

    def _link(self, agent: str, reward: float, example: Example) -> None:
        """Add one thing that was taken in to the chain of them all."""
        told = hashlib.sha256(self._chain)
        told.update(example.context.astype("<f8").tobytes())
        told.update(repr((agent, reward, example.reward, example.fit)).encode())
        self._chain = told.digest()


def _told(fit: float | None) -> float:
    return NO_FIT if fit is None else fit


def _lever(reach: float) -> float:
    """Return x'A^-1 x with x taken in, from x'v where the outer square of v is what A^-1 lost by it."""
    square = reach * reach
    before = (square + math.sqrt(square * square + 4.0 * square)) / 2.0
    return before / (1.0 + before)
