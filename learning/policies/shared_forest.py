"""A forest whose structure all agents share, a regression that is fast while little is known, and clipped Thompson sampling."""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

import numpy as np

from learning.errors import InvalidPolicySetting, UnlearnableExample, UnreadableState
from learning.memory import Whole
from learning.mixture import Habits, Mixture
from learning.optimism import NOISE, clips, shares
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
from learning.state import State, pack, unpack

_MAY_BE_ZERO = {"alarm", "release", "blend"}


class SharedForest:
    """Choose whoever is worth most under fixed optimistic draws; every candidate keeps a floor.

    Scores: `learning.mixture`; probabilities: `learning.optimism`, then the floor for everybody, the smaller of `floor` and
    1/(4 K).
    Context: any finite vector of about unit length, its last number a bias. Reward: 0 to 1; propensities serve evaluation.
    Settings: docs/decisions/021-shared-forest.md, 026-the-default-policy.md.
    """

    name: ClassVar[str] = "shared_forest"
    version: ClassVar[int] = 3
    explores: ClassVar[bool] = True
    matches: ClassVar[bool] = False

    def __init__(
        self,
        width: int,
        trees: float = 16.0,
        least: float = 20.0,
        keep: float = 6000.0,
        alarm: float = 10.0,
        blend: float = 0.5,
        optimism: float = 1.0,
        release: float = 0.0,
        floor: float = 0.0005,
    ) -> None:
        self._width = width
        given = {"trees": trees, "least": least, "keep": keep, "alarm": alarm, "blend": blend}
        self._settings = {
            name: float(value) for name, value in {**given, "optimism": optimism, "release": release, "floor": floor}.items()
        }
        _check_settings(self._settings)
        self._habits = Habits(int(trees), int(least), int(keep), float(alarm), float(blend))
        self._mixture = Mixture(width, self._habits)

    @property
    def width(self) -> int:
        """How many numbers a context has."""
        return self._width

    @property
    def settings(self) -> Mapping[str, float | str]:
        """Those of `learning.mixture.Habits`, how optimistic it is, after how many examples the clip goes, least probability."""
        return dict(self._settings)

    def decide(self, context: Context, candidates: Sequence[str], _fits: Fits = NO_FITS) -> Decision:
        """Return every candidate's exact probability; ties for the best go to the first by id."""
        return self.decide_many(context[None], candidates)[0]

    def decide_many(self, contexts: Contexts, candidates: Sequence[str], _fits: Sequence[Fits] = ()) -> list[Decision]:
        """Return what `decide` would for each context; what does not depend on the text is worked out once."""
        check_contexts(contexts, self._width)
        agents = ranked(candidates)
        rows = np.array([self._mixture.row(agent) for agent in agents])
        expected = self._mixture.expect(contexts.astype(np.float32))
        means = expected.means.take(rows, axis=1)
        figures = {"floor": min(self._settings["floor"], 1.0 / (4 * len(agents))), "trust": self._mixture.trust}
        won = self._won(means, rows) * (1.0 - len(agents) * figures["floor"]) + figures["floor"]
        same = {"pooled": (expected.pooled,) * len(agents), "agent": tuple(expected.agent.take(rows).tolist())}
        columns = (means, won, expected.forest.take(rows, axis=1), expected.linear.take(rows, axis=1))
        found = zip(*(map(tuple, column.tolist()) for column in columns), means.argmax(axis=1).tolist(), strict=True)
        return [
            Decision(agents, mean, {**same, "forest": grown, "linear": line}, share, agents[best], figures)
            for mean, share, grown, line, best in found
        ]

    def learn(self, example: Example) -> None:
        """Take in one example."""
        check_example(example, self._width)
        self._mixture.add(example.context.astype(np.float32), example.agent, example.reward)

    def revise(self, example: Example, old_reward: float) -> None:
        """Put the example's reward in the place of the old one; raises UnlearnableExample for an agent never met."""
        check_example(example, self._width)
        check_reward(old_reward)
        if self._mixture.row(example.agent) < 0:
            raise UnlearnableExample(f"no example of agent {example.agent!r} was learned that could be revised")
        self._mixture.move(example.context.astype(np.float32), example.agent, old_reward, example.reward)

    def dump(self) -> bytes:
        """Return the settings, the records kept and all sums; the forest follows from them."""
        return pack(self.name, self.version, self._width, self.settings, self._mixture.agents, self._mixture.arrays())

    def essence(self) -> bytes:
        """Return the settings, all sums, and hashes of what was learned and of the forest."""
        return pack(self.name, self.version, self._width, self.settings, self._mixture.agents, self._mixture.essence())

    @classmethod
    def load(cls, state: bytes, width: int) -> Self:
        """Continue from a state; the forest is planted again, which takes as long as it took."""
        parts = unpack(state, cls.name, cls.version, width)
        _check_shapes(parts)
        try:
            policy = cls(width, **{name: float(value) for name, value in parts.header.settings.items()})
        except (TypeError, ValueError, InvalidPolicySetting) as error:
            raise UnreadableState(f"the settings of a shared_forest state cannot be taken: {error}") from error
        policy._mixture = Mixture.of(parts.header.agents, parts.arrays, width, policy._habits)
        return policy

    def _won(self, means: Context, rows: Whole) -> Context:
        """Return the share of the fixed draws that each candidate wins, a row for each row of means."""
        counts, trust = self._mixture.counts, self._mixture.trust
        tried = counts.take(rows)
        deviations = self._settings["optimism"] * np.sqrt(NOISE / (tried + trust))
        return shares(means, deviations, clips(tried, trust, float(counts.sum()), len(rows), self._settings["release"]))


def _check_settings(settings: Mapping[str, float]) -> None:
    for name, value in settings.items():
        if not (math.isfinite(value) and (value > 0.0 or (value == 0.0 and name in _MAY_BE_ZERO))):
            raise InvalidPolicySetting(f"shared_forest: {name} must be a positive number, not {value!r}")
    if settings["blend"] > 1.0 or min(settings["trees"], settings["least"], settings["keep"]) < 1.0 or settings["keep"] > 20_000:
        raise InvalidPolicySetting("shared_forest: blend is a share; trees, least and keep are 1 or more, keep at most 20,000")


def _check_shapes(parts: State) -> None:
    agents, records = len(parts.header.agents), len(parts.arrays.get("rows", ()))
    wanted = Mixture.shapes(agents, records, parts.header.width)
    found = {name: array.shape for name, array in parts.arrays.items()}
    if found != wanted:
        raise UnreadableState(f"a shared_forest state has arrays {found}, not {wanted}")
    rows = parts.arrays["rows"]
    if not ((rows >= 0) & (rows < agents) & (rows == np.floor(rows))).all():
        raise UnreadableState("a record of a shared_forest state belongs to no agent")
