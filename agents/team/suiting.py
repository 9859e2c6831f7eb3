"""Which kind of task a text is, by what the agents that are there say of themselves, as intake matches texts. Pure."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from events.agent import AgentSpec
from events.control import KnownAgent
from events.task import Features
from learning.match import CLEAR_FIT, CLEAR_SCORE, fits, lacking, scores

Read = Callable[[str], Features]


class Suited(Struct, frozen=True):
    """The kind of task that a text is, how well it suits who does it best, and whether that one does anything (`general`)."""

    kind: str
    score: float
    general: bool = False


class Suiting:
    """Knows agents that give examples and need nothing but a text, and which of them a text suits best."""

    def __init__(self, tenant: str, specs: Sequence[AgentSpec], read: Read) -> None:
        self._read = read
        self._agents = [(spec.id, _known(tenant, spec, read)) for spec in specs if _asked(spec)]

    def suited(self, text: str) -> Suited | None:
        """Return the kind of the agent that a text clearly suits best; None: there is none."""
        seen = self._read(text)
        near = fits(seen, self._agents)
        suits = scores(seen, self._agents, near)
        if not suits:
            return None
        best = max(sorted(suits), key=lambda name: suits[name])
        if suits[best] < CLEAR_SCORE and near[best] < CLEAR_FIT:
            return None
        spec = next(one.spec for name, one in self._agents if name == best)
        return Suited(spec.skills[0], suits[best], spec.general)


def others(specs: Sequence[AgentSpec], name: str) -> tuple[AgentSpec, ...]:
    """Return the agents that have no skill of this one."""
    own = {skill for spec in specs if spec.id == name for skill in spec.skills}
    return tuple(spec for spec in specs if spec.id != name and not own & set(spec.skills))


def _asked(spec: AgentSpec) -> bool:
    """Say whether an agent can be asked by a text alone."""
    return bool(spec.examples and spec.skills) and not lacking(spec, ())


def _known(tenant: str, spec: AgentSpec, read: Read) -> KnownAgent:
    return KnownAgent(tenant, spec, spec.id, read(spec.description), examples=tuple(read(one) for one in spec.examples))
