"""Always the same agent: for an emergency, and to measure what a single agent is worth."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

from learning.errors import InvalidPolicySetting, UnreadableState
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
from learning.state import pack, unpack


class Fixed:
    """Choose the named agent with certainty; where it is no candidate, choose uniformly and say so.

    It keeps no floor, so nothing can be learned from its log about the agents it never chooses.
    """

    name: ClassVar[str] = "fixed"
    version: ClassVar[int] = 1
    explores: ClassVar[bool] = False
    matches: ClassVar[bool] = False

    def __init__(self, width: int, agent: str = "") -> None:
        if not agent:
            raise InvalidPolicySetting("fixed: the setting `agent` must name an agent")
        self._width, self._agent = width, agent

    @property
    def width(self) -> int:
        """How many numbers a context has."""
        return self._width

    @property
    def settings(self) -> Mapping[str, float | str]:
        """The agent that is always chosen."""
        return {"agent": self._agent}

    def decide(self, context: Context, candidates: Sequence[str], _fits: Fits = NO_FITS) -> Decision:
        """Return probability 1 for the named agent, or 1/K for each of K candidates if it is none of them."""
        return self.decide_many(context[None], candidates)[0]

    def decide_many(self, contexts: Contexts, candidates: Sequence[str], _fits: Sequence[Fits] = ()) -> list[Decision]:
        """Return the same for every context."""
        check_contexts(contexts, self._width)
        return [self._decision(ranked(candidates))] * len(contexts)

    def learn(self, example: Example) -> None:
        """Refuse what no policy could learn from, and learn nothing."""
        check_example(example, self._width)

    def revise(self, example: Example, old_reward: float) -> None:
        """Refuse what no policy could learn from, and learn nothing."""
        check_example(example, self._width)
        check_reward(old_reward)

    def dump(self) -> bytes:
        """Return a header without arrays."""
        return pack(self.name, self.version, self._width, self.settings, [], {})

    def essence(self) -> bytes:
        """Return the state itself: it is small."""
        return self.dump()

    @classmethod
    def load(cls, state: bytes, width: int) -> Self:
        """Continue from a state."""
        header = unpack(state, cls.name, cls.version, width).header
        agent = header.settings.get("agent")
        if not isinstance(agent, str) or not agent or len(header.settings) != 1 or header.agents or header.arrays:
            raise UnreadableState("a state of fixed holds the name of one agent, and this one does not")
        return cls(width, agent)

    def _decision(self, agents: tuple[str, ...]) -> Decision:
        named = tuple(float(agent == self._agent) for agent in agents)
        if self._agent in agents:
            return Decision(agents, named, {"named": named}, named, self._agent, {})
        note = f"the fixed agent {self._agent!r} is not a candidate: chosen uniformly"
        return Decision(agents, named, {"named": named}, (1.0 / len(agents),) * len(agents), None, {}, note)
