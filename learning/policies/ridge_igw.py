"""One ridge head per agent: they say who is good at a text like this, inverse-gap weighting says how often to doubt it."""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

from learning.errors import InvalidPolicySetting, UnlearnableExample, UnreadableState
from learning.heads import RidgeHeads
from learning.inverse_gap import inverse_gap_weights
from learning.policy import (
    NO_FITS,
    Context,
    Contexts,
    Decision,
    Example,
    Fits,
    check_contexts,
    check_example,
    check_reward,
    ranked,
)
from learning.setting import positive
from learning.state import State, pack, unpack


class RidgeIgw:
    """Choose the best-scored agent most often, another the more rarely the further it is behind.

    With K candidates, gaps to the best score and n examples learned so far: p_a = 1 / (K + gain sqrt(n + 1) gap_a),
    at least the floor; the best has the rest. The floor is the smaller of `floor` and 1/(4 K).
    Context: any finite vector of about unit length. Reward: 0 to 1; propensities serve evaluation, not learning.
    Source: Foster & Rakhlin, arXiv:2002.04926 (SquareCB); settings: docs/decisions/005-default-policy.md.
    """

    name: ClassVar[str] = "ridge_igw"
    version: ClassVar[int] = 1
    explores: ClassVar[bool] = True
    matches: ClassVar[bool] = False

    def __init__(self, width: int, ridge: float = 12.0, trust: float = 10.0, gain: float = 20.0, floor: float = 0.002) -> None:
        self._width = width
        self._settings = positive(self.name, {"ridge": ridge, "trust": trust, "gain": gain, "floor": floor})
        self._heads = RidgeHeads(width, self._settings["ridge"], self._settings["trust"])

    @property
    def width(self) -> int:
        """How many numbers a context has."""
        return self._width

    @property
    def settings(self) -> Mapping[str, float | str]:
        """Ridge penalty, examples' worth of trust in the pooled mean, gain of the gaps, least probability."""
        return dict(self._settings)

    def decide(self, context: Context, candidates: Sequence[str], _fits: Fits = NO_FITS) -> Decision:
        """Return every candidate's exact probability; ties for the best go to the first by id."""
        return self.decide_many(context[None], candidates)[0]

    def decide_many(self, contexts: Contexts, candidates: Sequence[str], _fits: Sequence[Fits] = ()) -> list[Decision]:
        """Return what `decide` would for each context; what does not depend on the text is worked out once."""
        check_contexts(contexts, self._width)
        agents = ranked(candidates)
        worth = self._heads.worth(contexts, agents)
        scores = worth.scores
        best = scores.argmax(axis=1)
        figures = self._exploration(len(agents))
        chances = inverse_gap_weights(scores, best, figures["gamma"], figures["floor"])
        same = {"pooled": (worth.pooled,) * len(agents), "agent": tuple(worth.agent.tolist())}
        rows = zip(scores.tolist(), worth.text.tolist(), chances, best.tolist(), strict=True)
        return [
            Decision(agents, tuple(score), {**same, "text": tuple(text)}, chance, agents[at], figures)
            for score, text, chance, at in rows
        ]

    def learn(self, example: Example) -> None:
        """Take in one example."""
        check_example(example, self._width)
        self._heads.add(example.context, example.agent, example.reward)

    def revise(self, example: Example, old_reward: float) -> None:
        """Put the example's reward in the place of the old one; raises UnlearnableExample for an agent never met."""
        check_example(example, self._width)
        check_reward(old_reward)
        if not self._heads.knows(example.agent):
            raise UnlearnableExample(f"no example of agent {example.agent!r} was learned that could be revised")
        self._heads.move(example.context, example.agent, example.reward - old_reward)

    def dump(self) -> bytes:
        """Return the settings and the heads' sums and inverses."""
        heads = self._heads
        return pack(self.name, self.version, self._width, self.settings, heads.agents(), heads.arrays())

    def essence(self) -> bytes:
        """Return the settings and a mark of each agent's sums and inverse: what one example moves is all that is read again."""
        heads = self._heads
        return pack(self.name, self.version, self._width, self.settings, heads.agents(), {}) + b"".join(heads.marks())

    @classmethod
    def load(cls, state: bytes, width: int) -> Self:
        """Continue from a state."""
        parts = unpack(state, cls.name, cls.version, width)
        _check_shapes(parts)
        settings = parts.header.settings
        try:
            policy = cls(width, **{name: float(value) for name, value in settings.items()})
        except (TypeError, ValueError, InvalidPolicySetting) as error:
            raise UnreadableState(f"the settings of a ridge_igw state cannot be taken: {error}") from error
        ridge, trust = policy._settings["ridge"], policy._settings["trust"]
        policy._heads = RidgeHeads.of(parts.header.agents, parts.arrays, width, ridge, trust)
        return policy

    def _exploration(self, candidates: int) -> dict[str, float]:
        gamma = self._settings["gain"] * math.sqrt(self._heads.examples + 1)
        return {"gamma": gamma, "floor": min(self._settings["floor"], 1.0 / (4 * candidates))}


def _check_shapes(parts: State) -> None:
    count, width = len(parts.header.agents), parts.header.width
    wanted = {"means": (count, 2), "sums": (count, 2, width), "inverses": (count, width, width)}
    found = {name: array.shape for name, array in parts.arrays.items()}
    if found != wanted:
        raise UnreadableState(f"a ridge_igw state has arrays {found}, not {wanted}")
