"""Everybody alike: what other policies are measured against, and the fairest source of logged choices."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

from learning.errors import UnreadableState
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


class Uniform:
    """Give every candidate the same chance, whatever happened; learn nothing."""

    name: ClassVar[str] = "uniform"
    version: ClassVar[int] = 1
    explores: ClassVar[bool] = True
    matches: ClassVar[bool] = False

    def __init__(self, width: int) -> None:
        self._width = width

    @property
    def width(self) -> int:
        """How many numbers a context has."""
        return self._width

    @property
    def settings(self) -> Mapping[str, float | str]:
        """There is nothing to set."""
        return {}

    def decide(self, context: Context, candidates: Sequence[str], _fits: Fits = NO_FITS) -> Decision:
        """Return 1/K for each of K candidates."""
        return self.decide_many(context[None], candidates)[0]

    def decide_many(self, contexts: Contexts, candidates: Sequence[str], _fits: Sequence[Fits] = ()) -> list[Decision]:
        """Return the same for every context."""
        check_contexts(contexts, self._width)
        agents = ranked(candidates)
        share, nothing = 1.0 / len(agents), (0.0,) * len(agents)
        decision = Decision(agents, nothing, {"prior": nothing}, (share,) * len(agents), None, {"floor": share})
        return [decision] * len(contexts)

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
        if header.settings or header.agents or header.arrays:
            raise UnreadableState("a state of uniform holds nothing, and this one does")
        return cls(width)
