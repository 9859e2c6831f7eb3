"""What tells what an agent will earn at a task: signals on one scale, reward above or below what all agents earn in the mean.

- match: the text lies nearer to the agent's description than usual (`learning.likening`);
- learned: a regression of the agent's rewards on the text, around its mean (`learning.heads`);
- history: how the agent did lately: the mean of its outcomes, each counting .95 of the one after it, shrunk to its mean of all
  times, and that to the mean of all agents;
- memory: what the agent earned on like texts beyond what the learned score says of this one, the history where that is off
  (`learning.recall`); without any outcome on a like text it says nothing.
Their weights are those by which they would have added up best to the rewards of every agent's newest outcomes, each foretold
without itself (`learning.stacking`): what a signal explains only after the fact counts for nothing. An agent's share of the
sums that say so is worked out anew with each outcome while it has few, and with every fourth later.

A watch sums up by how much an agent earns less than expected; beyond the alarm all is forgotten that it did before it
became worse, as in `learning.mixture`.
"""

import bisect
import hashlib
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Self

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from learning.heads import RidgeHeads
from learning.likening import SUMS, Likening
from learning.policy import Contexts, Example
from learning.recall import EARNED, FIT, LEVER, LIKENESS, NO_FIT, NUMBER, REWARD, Outcome, Recall
from learning.stacking import weights

Vector = NDArray[np.float64]
NAMES = MATCH, LEARNED, HISTORY, MEMORY = "match", "learned", "history", "memory"
COUNT = len(NAMES)
JUDGED = 128  # newest outcomes of an agent by which signals are weighed,
OFTEN, SELDOM = 32, 4  # at each of so many first outcomes, then at one in so many
SLACK, TRIED = 0.15, 30.0  # how much less than expected is nothing, and how often an agent must have been tried to be watched
FADING = 0.95  # how much an outcome counts of what the agent's next one does in its history
_WATCH = TRIES, WORRY, CALM, FALLEN = range(4)  # outcomes, worry, the last example without any, whether an alarm ever rang
_LATELY = EARNED_LATELY, TRIED_LATELY = range(2)
_NEVER = np.zeros((len(_LATELY), 1))
_AGES = np.arange(JUDGED)[:, None] - np.arange(JUDGED)[None, :]
_FADED = np.where(_AGES > 0, FADING ** np.maximum(_AGES - 1.0, 0.0), 0.0)  # what each of them counted when the next ones came


class Habits(Struct, frozen=True):
    """How it learns: penalty and trust of the regression, outcomes kept, likeness that begins to count.

    `held`: like outcomes' worth of trust in what is expected without them; weights at `start` (0: never) and how firmly they are
    believed; and what alarms (0: nothing).
    """

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
        self._lately = np.zeros((len(_LATELY), 0))
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
        found = np.empty((COUNT, *worth.text.shape))
        match, learned, history, memory = found
        match[:] = self._likening.worth(fits, rows)
        np.add(worth.agent, worth.text, out=learned)
        lately = np.concatenate((self._lately, _NEVER), axis=1).take(rows, axis=1)
        history[:] = self._shrunk(lately, worth.agent, worth.pooled)
        expected = worth.pooled + (learned if self._is_learned else history)
        for context, means, told in zip(contexts, expected, memory, strict=True):
            told[:] = self._remembered(self._recall.near(context, len(self.agents)).take(rows, axis=1), means)
        return Expected(worth.pooled, found)

    def add(self, example: Example) -> None:
        """Take in one outcome."""
        row = self._met(example.agent)
        self._link(example.agent, example.reward, example)
        self.examples += 1
        alarmed = self._is_last_straw(example, row)
        self._take_in(row, Outcome(example.context, example.reward, self.examples, _told(example.fit)))
        if alarmed:
            self._start_anew(row)
        if alarmed or self._watch[TRIES, row] <= OFTEN or self._watch[TRIES, row] % SELDOM == 0.0:
            self._judge(row)

    def move(self, example: Example, old: float) -> None:
        """Replace the reward of an outcome that was taken in before; one that an alarm made forgotten stays forgotten."""
        row, change = self._rows[example.agent], example.reward - old
        self._link(example.agent, old, example)
        at = self._recall.move(example.context, row, old, example.reward)
        if at is None and self._watch[FALLEN, row]:  # nobody knows whether it was forgotten then, or only let go of since
            return
        self._heads.move(example.context, example.agent, change)
        if at is not None:
            later = int((self._recall.figures[NUMBER, self._recall.of(row)] > self._recall.figures[NUMBER, at]).sum())
            self._lately[EARNED_LATELY, row] += FADING**later * change
        if example.fit is not None:
            self._likening.move(row, example.fit, change)
        self._judge(row)

    def essence(self) -> dict[str, Vector]:
        """Return little that stands for all but the regression: sums, and a hash of all that was taken in."""
        chain = np.frombuffer(self._chain, np.uint8).astype(np.float64)
        progress = np.array([float(self.examples)])
        agents = {"watch": self._watch, "lately": self._lately, "fits": self._likening.sums, "stacking": self._sums}
        return {"progress": progress, "chain": chain, **agents}

    def marks(self) -> list[bytes]:
        """Return a hash of each agent's regression."""
        return self._heads.marks()

    def arrays(self) -> dict[str, Vector]:
        """Return all that is needed to go on."""
        return {**self.essence(), **self._heads.arrays(), **self._recall.arrays()}

    @staticmethod
    def shapes(agents: int, outcomes: int, width: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of `arrays`."""
        own = {"progress": (1,), "chain": (32,), "watch": (len(_WATCH), agents), "lately": (len(_LATELY), agents)}
        heads = {"means": (agents, 2), "sums": (agents, 2, width), "inverses": (agents, width, width)}
        return {
            **own,
            "fits": (len(SUMS), agents),
            "stacking": (agents, COUNT, COUNT + 1),
            **heads,
            **Recall.shapes(outcomes, width),
        }

    @classmethod
    def load(cls, agents: Sequence[str], arrays: Mapping[str, Vector], width: int, habits: Habits) -> Self:
        """Continue from arrays; what they imply is computed as it was, so every bit comes back."""
        found = cls(width, habits)
        found.agents, found._rows = list(agents), {agent: row for row, agent in enumerate(agents)}
        found._heads = RidgeHeads.of(agents, arrays, width, habits.ridge, habits.trust)
        found._recall = Recall.load(arrays, width, habits.keep, habits.least)
        found._likening = Likening(arrays["fits"])
        found._watch, found._lately, found._sums = (arrays[name].copy() for name in ("watch", "lately", "stacking"))
        found.examples, found._chain = int(arrays["progress"][0]), arrays["chain"].astype(np.uint8).tobytes()
        found._weigh()
        return found

    @property
    def _is_learned(self) -> bool:
        """Whether the learned score plays a part."""
        return self._habits.start[NAMES.index(LEARNED)] > 0.0

    def _shrunk(self, lately: Vector, means: Vector, pooled: float) -> Vector:
        """Return what agents earned lately (sums of rewards and of their counts), shrunk to their means; less the pooled one."""
        found: Vector = (lately[0] - pooled * lately[1] + self._habits.trust * means) / (lately[1] + self._habits.trust)
        return found

    def _remembered(self, near: Vector, expected: Vector) -> Vector:
        """Return what like outcomes (their rewards by likeness, and likenesses) say beyond what is expected without them."""
        found: Vector = (near[0] - expected * near[1]) / (near[1] + self._habits.held)
        return found

    def _met(self, agent: str) -> int:
        """Return an agent's row, making one if there is none yet."""
        if agent not in self._rows:
            row = bisect.bisect_left(self.agents, agent)
            self.agents.insert(row, agent)
            self._rows = {one: at for at, one in enumerate(self.agents)}
            self._watch = np.insert(self._watch, row, 0.0, axis=1)
            self._lately = np.insert(self._lately, row, 0.0, axis=1)
            self._sums = np.insert(self._sums, row, 0.0, axis=0)
            self._likening.join(row)
            self._recall.join(row)
        return self._rows[agent]

    def _take_in(self, row: int, outcome: Outcome) -> None:
        """Let regression, memory and likening have one outcome more."""
        lost = self._heads.add(outcome.context, self.agents[row], outcome.reward)
        recall, slots = self._recall, self._recall.newest(row, JUDGED - 1)
        recall.figures[LEVER, slots] -= np.square(np.einsum("nd,d->n", recall.contexts.take(slots, axis=0), lost))
        recall.add(row, outcome, _lever(float(np.einsum("d,d->", outcome.context, lost))))
        if outcome.fit != NO_FIT:
            self._likening.add(row, outcome.fit, outcome.reward)
        self._watch[TRIES, row] += 1.0
        self._lately[:, row] *= FADING
        self._lately[:, row] += (outcome.reward, 1.0)

    def _is_last_straw(self, example: Example, row: int) -> bool:
        """Say whether the agent has earned less than its regression expected for too long."""
        if self._habits.alarm <= 0.0 or self._watch[TRIES, row] < TRIED:
            return False
        expected = self._heads.expected(example.context, example.agent)
        worry = max(0.0, float(self._watch[WORRY, row]) + expected - example.reward - SLACK)
        self._watch[WORRY, row] = worry
        if worry == 0.0:
            self._watch[CALM, row] = self.examples
        return worry > self._habits.alarm

    def _start_anew(self, row: int) -> None:
        """Forget what an agent did before it became worse."""
        kept = self._recall.take(row, float(self._watch[CALM, row]))
        self._heads.forget(self.agents[row])
        self._likening.forget(row)
        self._watch[:, row], self._lately[:, row] = (0.0, 0.0, 0.0, 1.0), 0.0
        for outcome in kept:
            self._take_in(row, outcome)

    def _judge(self, row: int) -> None:
        """Work out an agent's share of the sums anew, and the weights."""
        recall, slots, pooled = self._recall, self._recall.newest(row, JUDGED), self._heads.pooled
        figures = recall.figures.take(slots, axis=1)
        told = np.empty((COUNT + 1, len(slots)))
        match, learned, history, memory, came = told
        contexts, rewards = recall.contexts.take(slots, axis=0), figures[REWARD]
        means, text = self._heads.left_out(self.agents[row], contexts, rewards, figures[LEVER])
        np.add(means, text, out=learned)
        faded = _FADED[: len(slots), : len(slots)]
        history[:] = self._shrunk(np.stack([np.einsum("ij,j->i", faded, rewards), _counted(len(slots))]), means, pooled)
        memory[:] = self._remembered(figures[EARNED : LIKENESS + 1], pooled + (learned if self._is_learned else history))
        fits = np.where(figures[FIT] == NO_FIT, np.nan, figures[FIT])
        match[:] = self._likening.worth(fits, np.full(len(slots), row))
        np.subtract(rewards, pooled, out=came)
        self._sums[row] = np.einsum("in,jn->ij", told[:COUNT], told)
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


@lru_cache(maxsize=JUDGED + 1)
def _counted(outcomes: int) -> Vector:
    """Return how many outcomes' worth each of so many had before it."""
    counted: Vector = _FADED[:outcomes, :outcomes].sum(axis=1)
    return counted


def _told(fit: float | None) -> float:
    return NO_FIT if fit is None else fit


def _lever(reach: float) -> float:
    """Return x'A^-1 x with x taken in, from x'v where the outer square of v is what A^-1 lost by it."""
    square = reach * reach
    before = (square + math.sqrt(square * square + 4.0 * square)) / 2.0
    return before / (1.0 + before)
