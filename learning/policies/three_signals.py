"""Description, learned score and history: three signals on one scale, weighed by how well each foretold what came."""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

import numpy as np

from learning.errors import InvalidPolicySetting, UnlearnableExample, UnreadableState
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
    check_fits,
    check_reward,
    ranked,
)
from learning.setting import positive
from learning.signals import NAMES, Habits, Signals
from learning.state import State, pack, unpack

_MAY_BE_ZERO = frozenset({*NAMES, "alarm", "least"})
_MOST_KEPT = 20_000


class ThreeSignals:
    """Choose the best-scored agent most often, another the more rarely the further it is behind.

    score_a = pooled + match_a + learned_a + history_a + memory_a, each part its signal (`learning.signals`) times its weight,
    which is learned; probabilities as in `ridge_igw`. A signal whose weight is set to 0 is off. An agent whose description
    nobody compared with the text has no match, and the other parts rank.
    Context: any finite vector of about unit length, its last number a bias. Reward: 0 to 1; propensities serve evaluation.
    Settings: docs/decisions/034-three-signals.md.
    """

    name: ClassVar[str] = "three_signals"
    version: ClassVar[int] = 1
    explores: ClassVar[bool] = True
    matches: ClassVar[bool] = True

    def __init__(
        self,
        width: int,
        match: float = 0.3,
        learned: float = 0.4,
        history: float = 0.3,
        memory: float = 0.5,
        firmness: float = 2.0,
        ridge: float = 12.0,
        trust: float = 10.0,
        keep: float = 1024.0,
        least: float = 0.6,
        held: float = 1.0,
        alarm: float = 10.0,
        gain: float = 20.0,
        floor: float = 0.002,
    ) -> None:
        self._width = width
        start = {"match": match, "learned": learned, "history": history, "memory": memory, "firmness": firmness}
        model = {"ridge": ridge, "trust": trust, "keep": keep, "least": least, "held": held, "alarm": alarm}
        self._settings = positive(self.name, {**start, **model, "gain": gain, "floor": floor}, _MAY_BE_ZERO)
        _check_settings(self._settings)
        self._signals = Signals(width, self._habits())

    @property
    def width(self) -> int:
        """How many numbers a context has."""
        return self._width

    @property
    def settings(self) -> Mapping[str, float | str]:
        """Weights at first, how firmly they are believed, those of `learning.signals.Habits`, gain of gaps, least probability."""
        return dict(self._settings)

    def decide(self, context: Context, candidates: Sequence[str], fits: Fits = NO_FITS) -> Decision:
        """Return every candidate's exact probability; ties for the best go to the first by id."""
        return self.decide_many(context[None], candidates, [fits])[0]

    def decide_many(self, contexts: Contexts, candidates: Sequence[str], fits: Sequence[Fits] = ()) -> list[Decision]:
        """Return what `decide` would for each context; what does not depend on the text is worked out once."""
        check_contexts(contexts, self._width)
        agents = ranked(candidates)
        expected = self._signals.expect(contexts, agents, check_fits(fits, len(contexts), agents))
        weights = self._signals.weights
        parts = [weight * signal for weight, signal in zip(weights, expected.signals, strict=True)]
        scores = expected.pooled + sum(parts[1:], parts[0])
        best = scores.argmax(axis=1)
        figures = self._exploration(len(agents))
        chances = inverse_gap_weights(scores, best, figures["gamma"], figures["floor"])
        pooled, told = (expected.pooled,) * len(agents), dict(zip(NAMES, weights, strict=True))
        rows = zip(*(map(tuple, each.tolist()) for each in (scores, *parts)), chances, best.tolist(), strict=True)
        return [
            Decision(
                agents, score, {"pooled": pooled, **dict(zip(NAMES, parts, strict=True))}, chance, agents[at], figures, "", told
            )
            for score, *parts, chance, at in rows
        ]

    def learn(self, example: Example) -> None:
        """Take in one example."""
        check_example(example, self._width)
        self._signals.add(example)

    def revise(self, example: Example, old_reward: float) -> None:
        """Put the example's reward in the place of the old one; raises UnlearnableExample for an agent never met."""
        check_example(example, self._width)
        check_reward(old_reward)
        if not self._signals.knows(example.agent):
            raise UnlearnableExample(f"no example of agent {example.agent!r} was learned that could be revised")
        self._signals.move(example, old_reward)

    def dump(self) -> bytes:
        """Return the settings, the regressions, the outcomes kept and all sums."""
        return pack(self.name, self.version, self._width, self.settings, self._signals.agents, self._signals.arrays())

    def essence(self) -> bytes:
        """Return the settings, the sums, a hash of all that was taken in, and a mark of each agent's regression."""
        signals = self._signals
        return pack(self.name, self.version, self._width, self.settings, signals.agents, signals.essence()) + b"".join(
            signals.marks()
        )

    @classmethod
    def load(cls, state: bytes, width: int) -> Self:
        """Continue from a state."""
        parts = unpack(state, cls.name, cls.version, width)
        try:
            policy = cls(width, **{name: float(value) for name, value in parts.header.settings.items()})
        except (TypeError, ValueError, InvalidPolicySetting) as error:
            raise UnreadableState(f"the settings of a three_signals state cannot be taken: {error}") from error
        _check_shapes(parts, policy._habits().keep)
        policy._signals = Signals.load(parts.header.agents, parts.arrays, width, policy._habits())
        return policy

    def _habits(self) -> Habits:
        held = self._settings
        start = (held["match"], held["learned"], held["history"], held["memory"])
        return Habits(
            held["ridge"], held["trust"], int(held["keep"]), held["least"], held["held"], start, held["firmness"], held["alarm"]
        )

    def _exploration(self, candidates: int) -> dict[str, float]:
        gamma = self._settings["gain"] * math.sqrt(self._signals.examples + 1)
        return {"gamma": gamma, "floor": min(self._settings["floor"], 1.0 / (4 * candidates))}


def _check_settings(settings: Mapping[str, float]) -> None:
    if not any(settings[name] for name in NAMES):
        raise InvalidPolicySetting("three_signals: one of its signals must have a weight")
    if not 1.0 <= settings["keep"] <= _MOST_KEPT or settings["least"] >= 1.0:
        raise InvalidPolicySetting(f"three_signals: keep is 1 to {_MOST_KEPT:,}, and least below 1")


def _check_shapes(parts: State, keep: int) -> None:
    agents, outcomes = len(parts.header.agents), len(parts.arrays.get("rows", ()))
    wanted = Signals.shapes(agents, outcomes, parts.header.width)
    found = {name: array.shape for name, array in parts.arrays.items()}
    if found != wanted or outcomes > keep:
        raise UnreadableState(f"a three_signals state has arrays {found}, not {wanted} with at most {keep} outcomes")
    rows = parts.arrays["rows"]
    if not ((rows >= 0) & (rows < agents) & (rows == np.floor(rows))).all():
        raise UnreadableState("an outcome of a three_signals state belongs to no agent")
