"""What agents are held to be worth before a scope's first example: their levels in a scope where they worked before."""

from collections.abc import Mapping, Sequence
from typing import Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from learning.errors import InvalidPolicySetting
from learning.joint import LEVEL

SPREAD = 0.1  # deviation of an agent's level around the one of another scope; docs/decisions/064-levels-of-another-scope.md
_DIGITS = 4


class Levels:
    """Expected rewards on a text in the middle of all, 0 to 1, by agent; who is not among them is held to be like their mean.

    `told` is the same as canonical JSON, as a setting holds it; empty where nothing is known.
    """

    def __init__(self, known: Mapping[str, float]) -> None:
        self.told = msgspec.json.encode(dict(sorted(known.items()))).decode() if known else ""
        self._above = {agent: level - LEVEL for agent, level in known.items()}
        self._others = float(np.mean(list(self._above.values()))) if known else 0.0

    @classmethod
    def read(cls, policy: str, told: str) -> Self:
        """Return levels as a setting says them; raises InvalidPolicySetting for anything but an object of rewards by agent."""
        try:
            known = msgspec.json.decode(told or "{}", type=dict[str, float])
        except msgspec.DecodeError as error:
            raise InvalidPolicySetting(f"{policy}: levels must be a JSON object of rewards by agent: {error}") from error
        if wrong := [agent for agent, level in known.items() if not 0.0 <= level <= 1.0]:
            raise InvalidPolicySetting(f"{policy}: the level of {wrong[0]} must be 0 to 1, not {known[wrong[0]]!r}")
        return cls(known)

    @classmethod
    def rounded(cls, found: Mapping[str, float]) -> Self:
        """Return levels as they were found, short enough for every choice to record them."""
        return cls({agent: round(min(max(level, 0.0), 1.0), _DIGITS) for agent, level in found.items()})

    def above(self, agent: str) -> float:
        """Return by how much an agent is held to be above what anybody is before anything is known."""
        return self._above.get(agent, self._others)

    def all_above(self, agents: Sequence[str]) -> NDArray[np.float64]:
        """Return the same for each of these."""
        return np.array([self.above(agent) for agent in agents])
