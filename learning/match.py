"""Who could do a task at all: by declared skill, or by what an agent says of itself, compared with the task's text.

An agent says of itself what it does (its description) and gives examples of such tasks. Of those with examples it counts how near
the nearest of all these is to the text, and what the text has that the examples of others have not.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from events.agent import AgentSpec
from events.control import KnownAgent
from events.task import ChoiceContext, Features, LeftOut
from learning.discriminant import Discriminant, discriminant, vector
from learning.features import unit_rows

# A task without a kind goes to the agent with examples whose score is best, and to those that are not more than a margin behind;
# a score is the leaning of a discriminant and a share of the best cosine. Chosen as docs/decisions/062-who-fits.md says.
COSINE_SHARE = 0.6
MARGIN = 0.15
# One of them clearly does it from this score on, or from this cosine, which counts where there are few agents to be told apart.
CLEAR_SCORE = 0.45
CLEAR_FIT = 0.35
# Who only has a description needs this cosine, and this share of the cosine of those with examples, where one is clear.
MINIMUM_FIT = 0.14
SHARE_OF_BEST = 0.85


class Match(NamedTuple):
    """Agents that may be chosen, and those that may not, with the reason."""

    candidates: tuple[str, ...]
    left_out: tuple[LeftOut, ...]


def said(agent: KnownAgent) -> tuple[Features, ...]:
    """Return all that an agent says of itself: its description, then its examples."""
    return (agent.described, *agent.examples)


def fits(task: Features, agents: Iterable[tuple[str, KnownAgent]]) -> dict[str, float]:
    """Return each agent's best cosine with a task's text; who cannot be compared with it is left out."""
    known = [(agent_id, agent) for agent_id, agent in agents if agent.described.version == task.version]
    if not known:
        return {}
    rows, first = _directions(_Group(agent for _, agent in known))
    best = np.maximum.reduceat(np.einsum("nd,d->n", rows, unit_rows(vector(task))), first)
    return dict(zip((agent_id for agent_id, _ in known), best.tolist(), strict=True))


def fit(task: Features, told: Iterable[Features]) -> float:
    """Return the best cosine of a text with what an agent says of itself, in float64; 0 where versions cannot be compared."""
    return max((_cosine(task, one) for one in told if one.version == task.version), default=0.0)


def _cosine(task: Features, told: Features) -> float:
    one, other = vector(task), vector(told)
    length = float(np.sqrt(np.sum(one * one) * np.sum(other * other)))
    return float(np.sum(one * other)) / length if length > 0 else 0.0


def scores(task: Features, agents: Iterable[tuple[str, KnownAgent]], near: Mapping[str, float]) -> dict[str, float]:
    """Return how well a text suits each agent that gives examples and can be compared; `near` has each one's best cosine."""
    known = [(name, one) for name, one in agents if one.examples and one.described.version == task.version]
    if not known:
        return {}
    leanings = _apart(_Group(agent for _, agent in known)).leanings(task)
    return {name: lean + COSINE_SHARE * near.get(name, 0.0) for (name, _), lean in zip(known, leanings.tolist(), strict=True)}


def nearest(
    near: Mapping[str, float], suits: Mapping[str, float], specs: Mapping[str, AgentSpec], tried: Collection[str] = ()
) -> frozenset[str]:
    """Return whom a text without a kind may go to, of agents that could do it: `near` are cosines, `suits` scores.

    Where one that gives examples clearly fits, those that are little behind the best; else general agents, too. Who was tried is
    still the measure, so that a failure does not bring in whoever is far behind it: it brings in general agents. Those with a
    description alone come in where they are near enough.
    """
    told = {name: suits[name] for name in near if name in suits}
    behind = max(told.values(), default=0.0) - MARGIN
    close = {name for name, score in told.items() if score >= behind}
    clear = any(told[name] >= CLEAR_SCORE for name in close) or any(near[name] >= CLEAR_FIT for name in told)
    least = max((SHARE_OF_BEST * near[name] for name in close), default=0.0) if clear else 0.0
    bare = {name for name, cosine in near.items() if name not in told and cosine >= max(MINIMUM_FIT, least)}
    found = frozenset(name for name in (close if clear else set()) | bare if name not in tried)
    general = frozenset(name for name in near if specs[name].general and name not in tried)
    return found if clear and found else found | general


def match(agents: Sequence[tuple[str, KnownAgent]], context: ChoiceContext, is_live: Callable[[str], bool]) -> Match:
    """Return who may be chosen: of a task that asks for one agent by name, that one or nobody.

    An agent without a live worker stays a candidate only if nobody else can.
    """
    left_out: list[LeftOut] = []
    able: list[tuple[str, KnownAgent]] = []
    for agent_id, agent in agents:
        reason = _reason(agent_id, agent, context)
        if reason is None:
            able.append((agent_id, agent))
        elif agent.state != "retired":
            left_out.append(reason)
    fitting, unfit = _fitting(able, context, agents)
    left_out += unfit
    served = {agent_id: is_live(agent_id) for agent_id in fitting}
    live = [agent_id for agent_id in fitting if served[agent_id]]
    if live:
        left_out += [LeftOut(agent_id, "no_live_worker") for agent_id in fitting if not served[agent_id]]
    return Match(tuple(live or fitting), tuple(sorted(left_out, key=lambda one: one.agent)))


def _reason(agent_id: str, agent: KnownAgent, context: ChoiceContext) -> LeftOut | None:
    """Return why an agent may not be chosen whatever the task is about, or None if it may."""
    if agent.state != "active":
        return LeftOut(agent_id, agent.state)
    if agent.spec.tenants and agent.tenant not in agent.spec.tenants:
        return LeftOut(agent_id, "not_for_tenant")
    if context.agent is not None and agent_id != context.agent:
        return LeftOut(agent_id, "not_asked_for")
    return LeftOut(agent_id, "tried") if agent_id in context.tried else None


def _fitting(
    able: Sequence[tuple[str, KnownAgent]], context: ChoiceContext, everybody: Sequence[tuple[str, KnownAgent]]
) -> tuple[list[str], list[LeftOut]]:
    """Return who can do such a task, and of the others how near they came, or what they would need.

    Who lacks an input is not there at all when it is looked who is nearest.
    """
    skilled = {agent_id for agent_id, agent in able if _skilled(context.kind, agent.spec.skills)}
    # Compared are all that there are: they stay the same from task to task, so that their vectors are at hand.
    near = fits(context.features, everybody if context.agent is None else able) if len(skilled) < len(able) else {}
    lacks = {agent_id: lacking(agent.spec, context.brings) for agent_id, agent in able}
    suits: Mapping[str, float] = {}
    if context.kind is None:
        tried = [(agent_id, agent) for agent_id, agent in everybody if agent_id in context.tried and agent.state == "active"]
        ready = {agent_id: agent.spec for agent_id, agent in (*able, *tried) if not lacks.get(agent_id)}
        cosines = {agent_id: near.get(agent_id, 0.0) for agent_id in ready}
        suits = scores(context.features, [(one, each) for one, each in everybody if each.state != "retired"], near)
        skilled = set(nearest(cosines, suits, ready, context.tried) if context.agent is None else _named(cosines, ready))
    fitting: list[str] = []
    unfit: list[LeftOut] = []
    for agent_id, agent in able:
        cosine = near.get(agent_id, 0.0)
        if lacks[agent_id] and (agent_id in skilled or (context.kind is None and cosine >= _least(agent.spec))):
            unfit.append(LeftOut(agent_id, "lacks_input", lacks=lacks[agent_id]))
        elif agent_id in skilled:
            fitting.append(agent_id)
        else:
            unfit.append(LeftOut(agent_id, "no_skill" if context.kind else "no_fit", cosine, score=suits.get(agent_id)))
    return fitting, unfit


def _named(near: Mapping[str, float], specs: Mapping[str, AgentSpec]) -> Collection[str]:
    """Return the one that a task asks for by name, unless it is about something else altogether."""
    return [one for one, cosine in near.items() if cosine >= MINIMUM_FIT or specs[one].general]


def _least(spec: AgentSpec) -> float:
    """Return the cosine from which on an agent fits a text."""
    return CLEAR_FIT if spec.examples else MINIMUM_FIT


def lacking(spec: AgentSpec, brings: Collection[str] | None) -> tuple[str, ...]:
    """Return what an agent needs and a task does not bring; alternatives as one, `a or b`. What is not known is not missed."""
    if brings is None:
        return ()
    required = (spec.inputs or {}).get("required")
    names = required if isinstance(required, list) else []  # a schema from elsewhere may be anything
    missing = tuple(name for name in names if isinstance(name, str) and name not in brings)
    if spec.needs and not any(fnmatchcase(one, need) for need in spec.needs for one in brings):
        return (*missing, " or ".join(spec.needs))
    return missing


def _skilled(kind: str | None, skills: Collection[str]) -> bool:
    return kind is not None and kind in skills


class _Group:
    """Agents as the key of what is worked out for them: the same if each is the same object, which is told quickly.

    Whatever is kept for a group keeps the group, and that keeps its agents, so that no other object can have their ids.
    """

    __slots__ = ("agents", "ids")

    def __init__(self, agents: Iterable[KnownAgent]) -> None:
        self.agents = tuple(agents)
        self.ids = tuple(map(id, self.agents))

    def __hash__(self) -> int:
        """Return the hash of who is in it."""
        return hash(self.ids)

    def __eq__(self, other: object) -> bool:
        """Say whether it is of the same objects in the same order."""
        return isinstance(other, _Group) and self.ids == other.ids


@lru_cache(maxsize=32)  # of a few groups of agents: what they say changes seldom, and every choice among them asks again
def _directions(group: _Group) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the vectors of all that agents say of themselves at length one, a row each, and where each agent's begin."""
    told = [said(agent) for agent in group.agents]
    first = np.cumsum([0, *(len(one) for one in told[:-1])])
    return unit_rows(np.array([vector(one) for each in told for one in each])), first


@lru_cache(maxsize=32)
def _apart(group: _Group) -> Discriminant:
    """Return what tells agents apart by all that they say of themselves; who has a skill of another does what that one does."""
    told = [said(agent) for agent in group.agents]
    whose = np.repeat(np.arange(len(told)), [len(each) for each in told])
    skills = [frozenset(agent.spec.skills) for agent in group.agents]
    shared = np.array([[one is other or not one.isdisjoint(other) for other in skills] for one in skills])
    return discriminant([one for each in told for one in each], whose, shared)
