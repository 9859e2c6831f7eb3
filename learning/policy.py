"""What chooses: a policy turns a context and candidates into exact probabilities, and learns from what came of it.

A policy's state is the fold of an ordered log of examples, one at a time, in float64, without a clock, a random
number or a threaded library: whoever folds the same log holds the same bytes. Probabilities are computed, never
estimated by drawing, so the recorded propensity of a choice is the one it had.
"""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import repeat
from types import MappingProxyType
from typing import ClassVar, Protocol, Self

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from learning.draw import sample
from learning.errors import ContextMismatch, InvalidCandidates, UnlearnableExample

Context = NDArray[np.float64]
Contexts = NDArray[np.float64]  # one a row
Fits = Mapping[str, float]  # by agent: cosine of the task's text and the agent's description; who was not compared is missing
NO_FITS: Fits = MappingProxyType({})
LIMIT = 1e6  # features are about 1; squares of what is far beyond would overflow the sums
FIT_LIMIT = 1.0 + 1e-6  # a cosine, and what rounding adds


class Example(Struct, frozen=True, eq=False):
    """One outcome to learn from: a context of the policy's width, an agent, its propensity (0, 1], a reward [0, 1].

    `fit` is how near the agent's description lay to the text when it was chosen, if a policy asked.
    """

    context: Context
    agent: str
    propensity: float
    reward: float
    fit: float | None = None


class Scored(Struct, frozen=True):
    """A candidate's score, and the named parts that add up to it (within 1e-9)."""

    agent: str
    score: float
    parts: Mapping[str, float]


class Decision(Struct, frozen=True):
    """The chances of all candidates in columns, sorted by agent id; probabilities sum to one (within 1e-9).

    `parts` are columns, too, by name: those that add up to the scores (within 1e-9). `favourite` is whom the policy holds to be
    best (None: it has no opinion); `exploration` names the figures that made probabilities of scores; `note` says in words
    what a reader of the figures would not guess; `weights` are those that parts have had in them, where such are learned.
    """

    agents: tuple[str, ...]
    scores: tuple[float, ...]
    parts: Mapping[str, tuple[float, ...]]
    probabilities: tuple[float, ...]
    favourite: str | None
    exploration: Mapping[str, float]
    note: str = ""
    weights: Mapping[str, float] = {}

    @property
    def candidates(self) -> tuple[Scored, ...]:
        """The candidates one by one; made when asked for, since most of whom is decided about is never looked at."""
        return tuple(Scored(*each) for each in zip(self.agents, self.scores, self.parts_by_name(), strict=True))

    def parts_by_name(self) -> list[dict[str, float]]:
        """Return the parts of each candidate's score."""
        rows = zip(*self.parts.values(), strict=True) if self.parts else repeat((), len(self.agents))
        return [dict(zip(self.parts, row, strict=True)) for row in rows]


class Choice(Struct, frozen=True):
    """Who was drawn, how probable that was, and whether it was anybody but the favourite."""

    agent: str
    propensity: float
    explored: bool


class Policy(Protocol):
    """Chooses among agents and learns from rewards; listed in `learning.policies.POLICIES`."""

    name: ClassVar[str]
    version: ClassVar[int]
    explores: ClassVar[bool]  # whether every candidate keeps at least `floor(len(candidates))`
    matches: ClassVar[bool]  # whether it looks at how near descriptions lie to texts; to others nobody need tell it

    @property
    def width(self) -> int:
        """How many numbers a context has."""
        ...

    @property
    def settings(self) -> Mapping[str, float | str]:
        """All settings by name, the ones left at their defaults too; they are part of the state's bytes."""
        ...

    def decide(self, context: Context, candidates: Sequence[str], fits: Fits = ..., /) -> Decision:
        """Return every candidate's exact probability, changing nothing; raises InvalidCandidates, ContextMismatch."""
        ...

    def decide_many(self, contexts: Contexts, candidates: Sequence[str], fits: Sequence[Fits] = ..., /) -> list[Decision]:
        """Return what `decide` returns for each context (a row each), to the bit, for less; raises as it does.

        `fits` are those of each context, or none at all.
        """
        ...

    def learn(self, example: Example) -> None:
        """Take in one example; raises UnlearnableExample or ContextMismatch and is then left as it was."""
        ...

    def revise(self, example: Example, old_reward: float) -> None:
        """Replace the reward of an example learned before: same context and agent, `old_reward` out, its reward in."""
        ...

    def dump(self) -> bytes:
        """Return the state in its one canonical form (see `learning.state`)."""
        ...

    def essence(self) -> bytes:
        """Return what the digest is made of at every choice: the state, or what of a large one tells it from any other."""
        ...

    @classmethod
    def load(cls, state: bytes, width: int) -> Self:
        """Continue from a state; raises UnreadableState for one of another policy, version or width, or not finite."""
        ...


def digest(policy: Policy) -> str:
    """Return the sha256 of the policy's essence: equal for two that folded the same examples with the same settings."""
    return hashlib.sha256(policy.essence()).hexdigest()


def choose(decision: Decision, draw: float) -> Choice:
    """Return the candidate whose share of [0, 1) holds the draw, with its propensity."""
    index = sample(decision.probabilities, draw)
    agent = decision.agents[index]
    return Choice(agent, decision.probabilities[index], explored=agent != decision.favourite)


def ranked(candidates: Sequence[str]) -> tuple[str, ...]:
    """Return the candidates sorted by id; raises InvalidCandidates if there is none, or one twice."""
    ordered = tuple(sorted(candidates))
    if not ordered:
        raise InvalidCandidates("there is no candidate to choose from")
    if len(set(ordered)) != len(ordered):
        raise InvalidCandidates("a candidate is listed twice")
    return ordered


def check_context(context: Context, width: int) -> None:
    """Raise ContextMismatch unless the context is a vector of that width whose numbers are within +-LIMIT."""
    check_contexts(context[None], width)


def check_contexts(contexts: Contexts, width: int) -> None:
    """Raise ContextMismatch unless every row is a context of that width."""
    if contexts.shape[1:] != (width,):
        raise ContextMismatch(f"a context of shape {contexts.shape[1:]} does not fit a policy of width {width}")
    if not (np.abs(contexts) <= LIMIT).all():  # false for NaN, too
        raise ContextMismatch(f"a context holds a number that is not finite, or beyond {LIMIT:g}")


def check_example(example: Example, width: int) -> None:
    """Raise UnlearnableExample or ContextMismatch unless the example can be learned from."""
    check_context(example.context, width)
    check_reward(example.reward)
    if example.fit is not None:
        _check_fit(example.fit)
    if not 0.0 < example.propensity <= 1.0:
        raise UnlearnableExample(f"a propensity of {example.propensity!r} is not in (0, 1]")


def check_reward(reward: float) -> None:
    """Raise UnlearnableExample unless the reward is a number from 0 to 1."""
    if not 0.0 <= reward <= 1.0:  # false for NaN, too
        raise UnlearnableExample(f"a reward of {reward!r} is not in [0, 1]")


def check_fits(fits: Sequence[Fits], texts: int, agents: Sequence[str]) -> NDArray[np.float64]:
    """Return fits by text and agent, NaN for who was not compared; raises ContextMismatch for what is no cosine."""
    if not fits:
        return np.full((texts, len(agents)), np.nan)
    if len(fits) != texts:
        raise ContextMismatch(f"{texts} contexts come with the fits of {len(fits)}")
    found = np.array([[each.get(agent, np.nan) for agent in agents] for each in fits])
    if (np.abs(found) > FIT_LIMIT).any():  # false for NaN, which says that nobody compared
        raise ContextMismatch("a fit is no cosine")
    return found


def _check_fit(fit: float) -> None:
    if not -FIT_LIMIT <= fit <= FIT_LIMIT:  # false for NaN, too
        raise ContextMismatch(f"a fit of {fit!r} is no cosine")
