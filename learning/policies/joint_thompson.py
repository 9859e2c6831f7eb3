"""The default: one regression of all agents says who is good at a text, fixed optimistic draws say who is tried next."""

import bisect
import hashlib
from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from learning.errors import InvalidPolicySetting, UnlearnableExample, UnreadableState
from learning.joint import NOISE, JointRegression, Own, Vector
from learning.levels import Levels
from learning.optimism import TURNS, clips, shares
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
from learning.watch import Outcome, Watch

Whole = NDArray[np.int64]
_MAY_BE_ZERO = frozenset({"alarm", "release"})


class JointThompson:
    """Choose whoever is worth most under fixed optimistic draws of the agents' levels; every candidate keeps a floor.

    Scores: `learning.joint`, on the whole context; probabilities: `learning.optimism`, then the floor for everybody, the
    smaller of `floor` and 1/(4 K). Whoever becomes worse is found out by `learning.watch`. With `levels`, agents' levels
    elsewhere as `learning.levels` has them, a scope starts from these, and `level` is the spread around them.
    Context: any finite vector of about unit length, its last number a bias. Reward: 0 to 1; propensities serve evaluation.
    Settings: docs/decisions/039-the-default-policy-again.md.
    """

    name: ClassVar[str] = "joint_thompson"
    version: ClassVar[int] = 1
    explores: ClassVar[bool] = True
    matches: ClassVar[bool] = False

    def __init__(
        self,
        width: int,
        level: float = 0.17,
        slope: float = 0.08,
        optimism: float = 1.0,
        release: float = 0.0,
        alarm: float = 10.0,
        floor: float = 0.0005,
        levels: str = "",
    ) -> None:
        given = {"level": level, "slope": slope, "optimism": optimism, "release": release, "alarm": alarm, "floor": floor}
        self._width, self._settings = width, positive(self.name, given, _MAY_BE_ZERO)
        self._start = Levels.read(self.name, levels)
        self._own = Own(self._settings["level"] ** 2, self._settings["slope"] ** 2)
        self._trust = NOISE / self._own.level
        self._agents: list[str] = []
        self._rows: dict[str, int] = {}
        self._joint, self._watch = JointRegression(width, own=self._own), Watch(self._settings["alarm"])
        self._marks: dict[str, bytes] = {}  # of the agents of whom nothing moved since they were asked for

    @property
    def width(self) -> int:
        """How many numbers a context has."""
        return self._width

    @property
    def settings(self) -> Mapping[str, float | str]:
        """Spread of agents' levels and slopes, how optimistic it is, when the clip goes, what alarms, least probability.

        And the levels that it starts from, where it does.
        """
        return {**self._settings, **({"levels": self._start.told} if self._start.told else {})}

    @property
    def levels(self) -> Mapping[str, float]:
        """What every agent that was tried is held to be worth on a text in the middle of all."""
        return {agent: float(self._joint.levels[row]) + self._start.above(agent) for agent, row in self._rows.items()}

    def decide(self, context: Context, candidates: Sequence[str], _fits: Fits = NO_FITS) -> Decision:
        """Return every candidate's exact probability; ties for the best go to the first by id."""
        return self.decide_many(context[None], candidates)[0]

    def decide_many(self, contexts: Contexts, candidates: Sequence[str], _fits: Sequence[Fits] = ()) -> list[Decision]:
        """Return what `decide` would for each context; what does not depend on the text is worked out once."""
        check_contexts(contexts, self._width)
        agents = ranked(candidates)
        rows = np.array([self._rows.get(agent, -1) for agent in agents])
        levels, pooled = self._joint.levels.take(rows), float(self._joint.levels[-1])
        means = self._joint.worth(_points(contexts)).take(rows, axis=1)
        if self._start.told:
            above = self._start.all_above(agents)
            levels, means = levels + above, means + above
        turn = int(self._watch.counts.sum()) % TURNS
        figures = {"floor": min(self._settings["floor"], 1.0 / (4 * len(agents))), "trust": self._trust, "turn": float(turn)}
        won = self._won(means, rows, turn) * (1.0 - len(agents) * figures["floor"]) + figures["floor"]
        same = {"pooled": (pooled,) * len(agents), "agent": tuple((levels - pooled).tolist())}
        columns = (means, won, means - levels)
        found = zip(*(map(tuple, column.tolist()) for column in columns), means.argmax(axis=1).tolist(), strict=True)
        return [Decision(agents, mean, {**same, "text": text}, share, agents[best], figures) for mean, share, text, best in found]

    def learn(self, example: Example) -> None:
        """Take in one example."""
        check_example(example, self._width)
        reward = example.reward - self._start.above(example.agent)  # what the regression sees, and the watch
        row, told = self._met(example.agent), Outcome(_points(example.context), reward)
        alarmed = self._watch.add(row, told, float(self._joint.worth(told.point)[row]))
        self._joint.add(told.point, row, told.reward)
        if alarmed:
            still = self._watch.fall(row)
            self._joint.forget(row, [one.point for one in still], [one.reward for one in still])
        self._marks.pop(example.agent, None)

    def revise(self, example: Example, old_reward: float) -> None:
        """Put the example's reward in the place of the old one; raises UnlearnableExample for an agent never met."""
        check_example(example, self._width)
        check_reward(old_reward)
        if example.agent not in self._rows:
            raise UnlearnableExample(f"no example of agent {example.agent!r} was learned that could be revised")
        row, point, above = self._rows[example.agent], _points(example.context), self._start.above(example.agent)
        if self._watch.move(row, Outcome(point, old_reward - above), example.reward - above):
            self._joint.move(point, row, example.reward - old_reward)
        self._marks.pop(example.agent, None)

    def dump(self) -> bytes:
        """Return the settings, the regression's sums and what is watched."""
        return self._packed({**self._joint.arrays(), **self._watch.arrays()})

    def essence(self) -> bytes:
        """Return the settings and marks of what is kept, of all agents and of each; what did not move is not read again."""
        common = hashlib.sha256(self._joint.common()).digest()
        return self._packed({}) + common + b"".join(self._mark(agent) for agent in self._agents)

    @classmethod
    def load(cls, state: bytes, width: int) -> Self:
        """Continue from a state."""
        parts = unpack(state, cls.name, cls.version, width)
        _check_shapes(parts)
        try:
            settings = dict(parts.header.settings)
            levels = str(settings.pop("levels", ""))
            policy = cls(width, **{name: float(value) for name, value in settings.items()}, levels=levels)
        except (TypeError, ValueError, InvalidPolicySetting) as error:
            raise UnreadableState(f"the settings of a joint_thompson state cannot be taken: {error}") from error
        policy._seat(parts.header.agents)
        policy._joint = JointRegression.of(parts.arrays, width, policy._own)
        policy._watch = Watch.of(parts.arrays, policy._settings["alarm"])
        return policy

    def _won(self, means: Vector, rows: Whole, turn: int) -> Vector:
        """Return the share of a set of draws that each candidate wins, a row for each row of means."""
        counts = np.append(self._watch.counts, 0.0)  # the last of an agent never met
        tried = counts.take(rows)
        deviations = self._settings["optimism"] * np.sqrt(NOISE / (tried + self._trust))
        limits = clips(tried, self._trust, float(counts.sum()), len(rows), self._settings["release"])
        return shares(means, deviations, limits, turn)

    def _met(self, agent: str) -> int:
        """Return an agent's row, making one if there is none yet."""
        if agent not in self._rows:
            row = bisect.bisect_left(self._agents, agent)
            self._seat([*self._agents[:row], agent, *self._agents[row:]])
            self._joint.join(row)
            self._watch.join(row)
        return self._rows[agent]

    def _seat(self, agents: Sequence[str]) -> None:
        self._agents, self._rows = list(agents), {agent: row for row, agent in enumerate(agents)}

    def _packed(self, arrays: Mapping[str, Vector]) -> bytes:
        return pack(self.name, self.version, self._width, self.settings, self._agents, arrays)

    def _mark(self, agent: str) -> bytes:
        """Return the sha256 of what is kept of one agent."""
        if agent not in self._marks:
            row = self._rows[agent]
            self._marks[agent] = hashlib.sha256(self._joint.of_agent(row) + self._watch.of_agent(row)).digest()
        return self._marks[agent]


def _points(contexts: Vector) -> Vector:
    """Return a context, or each of many, as the regression sees it: a one for the level, then all but the bias."""
    return np.concatenate([np.ones((*contexts.shape[:-1], 1)), contexts[..., :-1]], axis=-1)


def _check_shapes(parts: State) -> None:
    agents, width = len(parts.header.agents), parts.header.width
    watched = {"watched", "since", "kept"}
    found = {name: array.shape for name, array in parts.arrays.items() if name not in watched}
    if found != JointRegression.shapes(agents, width) or not watched <= parts.arrays.keys():
        raise UnreadableState(f"a joint_thompson state has arrays {sorted(parts.arrays)} of other shapes than its agents need")
    if not Watch.fits(parts.arrays, agents, width):
        raise UnreadableState("what a joint_thompson state has watched does not fit its agents")
