"""Which kind of task a text is, by what the agents that are there say of themselves, as intake matches texts. Pure."""

from collections.abc import Callable, Mapping, Sequence

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
    """Knows agents that need nothing but a text, and which of them a text suits best."""

    def __init__(self, tenant: str, specs: Sequence[AgentSpec], read: Read) -> None:
        self._read = read
        self._agents = [(spec.id, _known(tenant, spec, read)) for spec in specs if _asked(spec)]

    def suited(self, text: str) -> Suited | None:
        """Return the kind of the agent that a text clearly suits best; None: there is none.

        Who gives no examples comes in where its description alone is nearer than anything that those say who give some.
        """
        seen = self._read(text)
        near = fits(seen, self._agents)
        suits = scores(seen, self._agents, near)
        best = _best(suits)
        if best is not None and suits[best] < CLEAR_SCORE and near[best] < CLEAR_FIT:
            best = None
        bare = _best({name: cosine for name, cosine in near.items() if name not in suits and cosine >= CLEAR_FIT})
        if bare is not None and near[bare] > max((near[name] for name in suits), default=0.0):
            return self._suited(bare, near[bare])
        return None if best is None else self._suited(best, suits[best])

    def _suited(self, name: str, score: float) -> Suited:
        spec = next(one.spec for known, one in self._agents if known == name)
        return Suited(spec.skills[0], score, spec.general)


def _best(figures: Mapping[str, float]) -> str | None:
    """Return whose figure is highest, of equals the first by name; None: there is nobody."""
    return max(sorted(figures), key=lambda name: figures[name], default=None)


def others(specs: Sequence[AgentSpec], name: str) -> tuple[AgentSpec, ...]:
    """Return the agents that have no skill of this one."""
    own = {skill for spec in specs if spec.id == name for skill in spec.skills}
    return tuple(spec for spec in specs if spec.id != name and not own & set(spec.skills))


def _asked(spec: AgentSpec) -> bool:
    """Say whether an agent can be asked by a text alone."""
    return bool(spec.skills) and not lacking(spec, ())


def _known(tenant: str, spec: AgentSpec, read: Read) -> KnownAgent:
    return KnownAgent(tenant, spec, spec.id, read(spec.description), examples=tuple(read(one) for one in spec.examples))
