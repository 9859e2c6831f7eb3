"""One ridge regression per agent, around a mean that is itself shrunk: what an agent is worth on a text like this.

score_a(x) = pooled + (mean_a - pooled) + x'w_a with
  mean_a = (s_a + k pooled) / (n_a + k)                 sum of rewards s_a over n_a examples, k = `trust`
  pooled = (1/2 + sum_a s_a/(n_a + k)) / (1 + sum_a n_a/(n_a + k))   every agent counts alike once it is known
  w_a    = (ridge I + sum x x')^-1 sum x (r - mean_a)
Kept as sums and an inverse that moves by rank one (Sherman & Morrison 1950). Everything is elementwise or a plain
`einsum` of two small arrays: no BLAS, so no thread count can change a bit.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from learning.policy import Context, Contexts

Vector = NDArray[np.float64]
Rows = NDArray[np.intp]
PRIOR = 0.5  # what an agent is held to be worth before anybody knows anything


@dataclass(frozen=True, slots=True)
class Worth:
    """The three parts of a score: `pooled` of all, `agent` by agent in the order asked for, `text` by context and agent."""

    pooled: float
    agent: Vector
    text: Vector

    @property
    def scores(self) -> Vector:
        """The sum of the parts."""
        return (self.pooled + self.agent) + self.text


class RidgeHeads:
    """The regressions of all agents met so far; one never met stands at the pooled mean."""

    def __init__(self, width: int, ridge: float, trust: float) -> None:
        self._width, self._ridge, self._trust = width, ridge, trust
        self._rows: dict[str, int] = {}
        self._inverses: list[Vector] = []
        # The last row of each belongs to agents never met, and stays zero.
        self._means = np.zeros((1, 2))  # n, sum of r
        self._sums = np.zeros((1, 2, width))  # sum of x, sum of x r
        self._slopes = np.zeros((1, 2, width))  # the inverse times each of these
        self._pooled = PRIOR
        self._scratch = np.empty((width, width))
        self._marks: dict[int, bytes] = {}  # of the rows that did not move since they were asked for

    @property
    def examples(self) -> int:
        """How many examples have been added."""
        return int(self._means[:, 0].sum())

    @property
    def pooled(self) -> float:
        """The mean of all agents, each counting alike once it is known."""
        return self._pooled

    def knows(self, agent: str) -> bool:
        """Say whether an example of this agent was ever added."""
        return agent in self._rows

    def worth(self, contexts: Contexts, agents: Sequence[str]) -> Worth:
        """Return the parts of every agent's score on every context (a row each); figures do not depend on what else is asked."""
        rows = np.array([self._rows.get(agent, -1) for agent in agents])
        counts, totals = self._means.take(rows, axis=0).T
        means = (totals + self._trust * self._pooled) / (counts + self._trust)
        both = np.einsum("kid,nd->nki", self._slopes.take(rows, axis=0), contexts)
        text = both[:, :, 1] - means * both[:, :, 0]
        return Worth(self._pooled, means - self._pooled, text)

    def expected(self, context: Context, agent: str) -> float:
        """Return the score of one agent that is known on one context: the figure of `worth`, to the bit, for less."""
        row = self._rows[agent]
        count, total = self._means[row].tolist()
        mean = (total + self._trust * self._pooled) / (count + self._trust)
        ((both,),) = np.einsum("kid,nd->nki", self._slopes[row : row + 1], context[None]).tolist()
        return float((self._pooled + (mean - self._pooled)) + (both[1] - mean * both[0]))

    def add(self, context: Context, agent: str, reward: float) -> Vector:
        """Take in one outcome; return the vector whose outer square the agent's inverse has lost."""
        row = self._row(agent)
        self._means[row, 0] += 1.0
        self._sums[row, 0] += context
        inverse = self._inverses[row]
        reach: Vector = np.einsum("ij,j->i", inverse, context)
        reach /= math.sqrt(1.0 + float(np.einsum("i,i->", reach, context)))
        inverse -= np.multiply(reach[:, None], reach, out=self._scratch)
        self.move(context, agent, reward)
        return reach

    def forget(self, agent: str) -> None:
        """Let an agent stand where nobody had tried it."""
        row = self._rows[agent]
        self._means[row], self._sums[row], self._inverses[row] = 0.0, 0.0, np.eye(self._width) / self._ridge
        self._refresh(row)
        self._pool()

    def left_out(self, agent: str, contexts: Contexts, rewards: Vector, levers: Vector) -> Vector:
        """Return what would be expected, less the pooled mean, of outcomes of an agent had each alone not been taken in.

        By the agent's mean (first row) and by the text beside it; `levers` are x'(ridge I + sum x x')^-1 x (Allen 1974).
        """
        row = self._rows[agent]
        count, total = self._means[row]
        means = (total - rewards + self._trust * self._pooled) / (count - 1.0 + self._trust)
        ones, earned = np.einsum("kd,nd->kn", self._slopes[row], contexts)
        rest = 1.0 / np.maximum(1.0 - levers, 1e-9)
        text = (rewards - (rewards - earned) * rest) - means * (1.0 - (1.0 - ones) * rest)
        return np.stack([means - self._pooled, text])

    def move(self, context: Context, agent: str, change: float) -> None:
        """Change the reward of an outcome that is in already."""
        row = self._rows[agent]
        self._means[row, 1] += change
        self._sums[row, 1] += context * change
        self._refresh(row)
        self._pool()

    def agents(self) -> list[str]:
        """Return the agents met so far, sorted."""
        return sorted(self._rows)

    def marks(self) -> list[bytes]:
        """Return the sha256 of each agent's sums and inverse, in the order of `agents`."""
        return [self._mark(self._rows[agent]) for agent in self.agents()]

    def arrays(self) -> dict[str, Vector]:
        """Return what the heads consist of, one row per agent in sorted order."""
        rows = [self._rows[agent] for agent in self.agents()]
        inverses = np.array([self._inverses[row] for row in rows])
        return {
            "means": self._means[rows],
            "sums": self._sums[rows],
            "inverses": inverses.reshape(len(rows), self._width, self._width),
        }

    @classmethod
    def of(cls, agents: Sequence[str], arrays: Mapping[str, Vector], width: int, ridge: float, trust: float) -> Self:
        """Continue from arrays; what they imply is computed as it was, so every bit comes back."""
        heads = cls(width, ridge, trust)
        for row, agent in enumerate(agents):
            heads._row(agent)
            heads._means[row], heads._sums[row] = arrays["means"][row], arrays["sums"][row]
            heads._inverses[row] = arrays["inverses"][row].copy()
            heads._refresh(row)
        heads._pool()
        return heads

    def _row(self, agent: str) -> int:
        """Return the agent's row, making one before the row of those never met if there is none yet."""
        if agent not in self._rows:
            self._rows[agent] = len(self._inverses)
            self._inverses.append(np.eye(self._width) / self._ridge)
            self._means = np.concatenate([self._means, np.zeros((1, 2))])
            self._sums = np.concatenate([self._sums, np.zeros((1, 2, self._width))])
            self._slopes = np.concatenate([self._slopes, np.zeros((1, 2, self._width))])
        return self._rows[agent]

    def _mark(self, row: int) -> bytes:
        """Return the sha256 of one row, little-endian as in a state."""
        if row not in self._marks:
            parts = (self._means[row], self._sums[row], self._inverses[row])
            self._marks[row] = hashlib.sha256(b"".join(np.asarray(part, dtype="<f8").tobytes() for part in parts)).digest()
        return self._marks[row]

    def _refresh(self, row: int) -> None:
        """Recompute what the sums and the inverse imply."""
        self._marks.pop(row, None)
        np.einsum("de,ie->id", self._inverses[row], self._sums[row], out=self._slopes[row])

    def _pool(self) -> None:
        """Refresh the pooled mean; `fsum` rounds once, so the order of the agents plays no part."""
        shares = self._means / (self._means[:, :1] + self._trust)
        counted, earned = math.fsum(shares[:, 0].tolist()), math.fsum(shares[:, 1].tolist())
        self._pooled = (PRIOR + earned) / (1.0 + counted)
