"""Who could do a task at all: by declared skill, or by how near the agent's description lies to the task's text."""

from collections.abc import Callable, Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from events.agent import AgentSpec
from events.control import KnownAgent
from events.task import ChoiceContext, Features, LeftOut
from learning.features import unit_rows

# A task without a kind goes to agents whose description has at least this cosine with its text. Chosen on the labelled
# tasks of tests/data, see docs/decisions/007-matching.md.
MINIMUM_FIT = 0.14


class Match(NamedTuple):
    """Agents that may be chosen, and those that may not, with the reason."""

    candidates: tuple[str, ...]
    left_out: tuple[LeftOut, ...]


def fits(task: Features, agents: Iterable[tuple[str, KnownAgent]]) -> dict[str, float]:
    """Return the cosine of a task's text with each agent's description; who cannot be compared with it is left out."""
    known = [(agent_id, agent.described) for agent_id, agent in agents if agent.described.version == task.version]
    if not known:
        return {}
    cosines = np.einsum("nd,d->n", _directions(tuple(described for _, described in known)), unit_rows(_vector(task)))
    return dict(zip((agent_id for agent_id, _ in known), cosines.tolist(), strict=True))


def fit(task: Features, described: Features) -> float:
    """Return the cosine of two recorded embeddings, in float64; 0 where the versions cannot be compared."""
    if task.version != described.version:
        return 0.0
    one, other = _vector(task), _vector(described)
    length = float(np.sqrt(np.sum(one * one) * np.sum(other * other)))
    return float(np.sum(one * other)) / length if length > 0 else 0.0


def match(agents: Sequence[tuple[str, KnownAgent]], context: ChoiceContext, is_live: Callable[[str], bool]) -> Match:
    """Return who may be chosen: of a task that asks for one agent by name, that one or nobody.

    An agent without a live worker stays a candidate only if nobody else can.
    """
    left_out: list[LeftOut] = []
    able: list[str] = []
    for agent_id, agent in agents:
        reason = _reason(agent_id, agent, context)
        if reason is None:
            able.append(agent_id)
        elif agent.state != "retired":
            left_out.append(reason)
    served = {agent_id: is_live(agent_id) for agent_id in able}
    live = [agent_id for agent_id in able if served[agent_id]]
    if live:
        left_out += [LeftOut(agent_id, "no_live_worker") for agent_id in able if not served[agent_id]]
    return Match(tuple(live or able), tuple(sorted(left_out, key=lambda one: one.agent)))


def _reason(agent_id: str, agent: KnownAgent, context: ChoiceContext) -> LeftOut | None:
    """Return why an agent may not be chosen, or None if it may."""
    if agent.state != "active":
        return LeftOut(agent_id, agent.state)
    if agent.spec.tenants and agent.tenant not in agent.spec.tenants:
        return LeftOut(agent_id, "not_for_tenant")
    if context.agent is not None and agent_id != context.agent:
        return LeftOut(agent_id, "not_asked_for")
    if agent_id in context.tried:
        return LeftOut(agent_id, "tried")
    return _unfit(agent_id, agent, context)


def _unfit(agent_id: str, agent: KnownAgent, context: ChoiceContext) -> LeftOut | None:
    """Return why an agent cannot do a task of this kind, with how near its description came, or what it would need."""
    if not _skilled(context.kind, agent.spec.skills):
        near = fit(context.features, agent.described)
        if context.kind is not None or near < MINIMUM_FIT:
            return LeftOut(agent_id, "no_skill" if context.kind else "no_fit", near)
    lacks = lacking(agent.spec, context.brings)
    return LeftOut(agent_id, "lacks_input", lacks=lacks) if lacks else None


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


@lru_cache(maxsize=32)  # of a few groups of agents: descriptions change seldom, and every choice among them asks again
def _directions(described: tuple[Features, ...]) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """Return the descriptions' vectors at length one, a row each."""
    return unit_rows(np.array([_vector(one) for one in described]))


def _vector(features: Features) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.frombuffer(features.embedding, dtype="<f2").astype(np.float64)
