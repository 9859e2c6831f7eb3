"""The states of all policies in use, each the fold of its scope's partition of the learning log.

Selectors, the learner and whoever verifies hold the same book: at one `upto`, one digest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from events.learning import ExampleRecorded, ExampleSuperseded
from events.task import Features
from learning.errors import ExampleMissing
from learning.network import Networks, none_here
from learning.policies import create
from learning.policy import Context, Example, Policy, digest

Settings = Mapping[str, float | str]
ToContext = Callable[[Features], Context]


class PolicyKey(Struct, frozen=True, order=True):
    """Which policy with which settings; `settings` is canonical JSON, so that equal settings are one key."""

    name: str
    settings: str

    @classmethod
    def of(cls, name: str, settings: Settings) -> "PolicyKey":
        """Return the key of a policy as it is asked for."""
        return cls(name, msgspec.json.encode(dict(sorted(settings.items())), order="deterministic").decode())

    def make(self, width: int, networks: Networks = none_here) -> Policy:
        """Return the policy, knowing nothing yet; one that chooses by a network finds it in `networks`.

        Raises:
            PolicyError: no such policy, or settings that it cannot take.
        """
        return create(self.name, width, msgspec.json.decode(self.settings, type=dict[str, float | str]), networks)


@dataclass(slots=True)
class Page:
    """One policy's state: the fold of its scope's examples 1 to `sequence`, the last of them at offset `upto`."""

    policy: Policy
    upto: int = -1
    sequence: int = 0
    _digest: str | None = None

    def take_in(self, fact: ExampleRecorded | ExampleSuperseded, offset: int, to_context: ToContext) -> None:
        """Fold one example; one that was published twice changes nothing.

        Raises:
            ExampleMissing: an example before this one never came; the state would no longer be the fold of the log.
        """
        if fact.sequence <= self.sequence:
            return
        if fact.sequence != self.sequence + 1:
            raise ExampleMissing(f"example {fact.sequence} of scope {fact.scope!r} follows {self.sequence}")
        if isinstance(fact, ExampleRecorded):
            self.policy.learn(_example(fact, to_context))
        else:
            self.policy.revise(_example(fact, to_context), fact.old_reward)
        self.upto, self.sequence, self._digest = offset, fact.sequence, None

    @property
    def digest(self) -> str:
        """Return the sha256 of the state's bytes."""
        if self._digest is None:
            self._digest = digest(self.policy)
        return self._digest


def _example(fact: ExampleRecorded | ExampleSuperseded, to_context: ToContext) -> Example:
    return Example(to_context(fact.features), fact.agent, fact.propensity, fact.reward, fact.fit)
