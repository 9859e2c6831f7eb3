"""What is in force now: agents, running experiments and calibrations, policies set or promoted. A pure fold of three topics.

Intake and selection both fold it; the topics are not ordered among each other, so no rule here needs them to be.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from events.agent import AgentPaused, AgentRegistered, AgentResumed, AgentRetired, AgentRevised, AgentSpec
from events.calibration import CalibrationEnded, CalibrationStarted
from events.card import CardChanged, CardRegistered, CardRetired
from events.event import Message
from events.experiment import ExperimentConcluded, ExperimentStarted
from events.model import ModelPromoted, ModelRolledBack, PolicySet
from events.registry import Registry
from events.registry import evolve as evolve_registry
from events.search import SearchEnded, SearchStarted
from events.task import Features

AgentState = Literal["active", "paused", "retired"]


class KnownAgent(Struct, frozen=True):
    """An agent as last registered or revised, and whether it may be chosen."""

    tenant: str
    spec: AgentSpec
    digest: str
    described: Features
    state: AgentState = "active"
    examples: tuple[Features, ...] = ()


class Running(Struct, frozen=True):
    """An experiment, and whether it still assigns."""

    tenant: str
    started: ExperimentStarted
    assigning: bool = True


class Calibrating(Struct, frozen=True):
    """A calibration, and whether copies may still be submitted for it."""

    started: CalibrationStarted
    running: bool = True


class Searching(Struct, frozen=True):
    """A search, and whether trials may still be told of it."""

    started: SearchStarted
    running: bool = True


class InForce(Struct, frozen=True):
    """A policy that a person put in force; `model` is the version that it was promoted as, if it was."""

    policy: str
    parameters: dict[str, Any]
    model: str | None = None


_NOTHING: Mapping[Any, Any] = MappingProxyType({})


class Control(Struct, frozen=True):
    """All that is in force, by (tenant, id), policies by (tenant, scope); and the versions of policies that may be."""

    agents: Mapping[tuple[str, str], KnownAgent] = _NOTHING
    experiments: Mapping[tuple[str, str], Running] = _NOTHING
    policies: Mapping[tuple[str, str], InForce] = _NOTHING
    calibrations: Mapping[tuple[str, str], Calibrating] = _NOTHING
    registry: Registry = Registry()
    searches: Mapping[tuple[str, str], Searching] = _NOTHING
    cards: frozenset[tuple[str, str]] = frozenset()  # of models that agents may use

    def agents_of(self, tenant: str) -> list[tuple[str, KnownAgent]]:
        """Return a tenant's agents by id, sorted, so that every reader sees one order."""
        return sorted((agent_id, agent) for (owner, agent_id), agent in self.agents.items() if owner == tenant)

    def assigning_in(self, tenant: str, scope: str) -> ExperimentStarted | None:
        """Return the experiment that assigns in a scope, if one does."""
        found = (run.started for (owner, _), run in self.experiments.items() if owner == tenant and run.assigning)
        return next((started for started in found if started.scope == scope), None)


def evolve(control: Control, fact: Message) -> Control:
    """Take in one fact; those that change nothing in force are passed over."""
    if (registry := evolve_registry(control.registry, fact)) is not control.registry:
        control = replace(control, registry=registry)
    match fact:
        case AgentRegistered() | AgentRevised():
            return _with_agent(control, fact)
        case AgentPaused(tenant=tenant, agent_id=agent_id):
            return _with_state(control, (tenant, agent_id), "paused")
        case AgentResumed(tenant=tenant, agent_id=agent_id):
            return _with_state(control, (tenant, agent_id), "active")
        case AgentRetired(tenant=tenant, agent_id=agent_id):
            return _with_state(control, (tenant, agent_id), "retired")
        case ExperimentStarted():
            return _started(control, fact)
        case ExperimentConcluded(tenant=tenant, experiment_id=experiment_id):
            return _concluded(control, (tenant, experiment_id))
        case CalibrationStarted():
            return _calibrating(control, fact)
        case CalibrationEnded(tenant=tenant, calibration_id=calibration_id):
            return _calibrated(control, (tenant, calibration_id))
        case SearchStarted():
            return _searching(control, fact)
        case SearchEnded(tenant=tenant, search_id=search_id):
            return _searched(control, (tenant, search_id))
        case CardRegistered(tenant=tenant, name=name) | CardChanged(tenant=tenant, name=name):
            return replace(control, cards=control.cards | {(tenant, name)})
        case CardRetired(tenant=tenant, name=name):
            return replace(control, cards=control.cards - {(tenant, name)})
        case PolicySet() | ModelPromoted(alias="champion") | ModelRolledBack():
            return _put_in_force(control, fact)
        case _:
            return control


def _with_agent(control: Control, fact: AgentRegistered | AgentRevised) -> Control:
    """A revised agent keeps its state; a registered one, also after retirement, is active."""
    key = (fact.tenant, fact.agent_id)
    known = control.agents.get(key)
    state: AgentState = known.state if known and isinstance(fact, AgentRevised) else "active"
    agent = KnownAgent(fact.tenant, fact.spec, fact.digest, fact.described, state, fact.examples)
    return replace(control, agents={**control.agents, key: agent})


def _with_state(control: Control, key: tuple[str, str], state: AgentState) -> Control:
    """Change a known agent's state; retired is final until it registers again."""
    known = control.agents.get(key)
    if known is None or known.state == "retired":
        return control
    return replace(control, agents={**control.agents, key: replace(known, state=state)})


def _started(control: Control, fact: ExperimentStarted) -> Control:
    """The first experiment of a scope runs; one that starts beside it is passed over."""
    key = (fact.tenant, fact.experiment_id)
    if key in control.experiments or control.assigning_in(fact.tenant, fact.scope):
        return control
    return replace(control, experiments={**control.experiments, key: Running(fact.tenant, fact)})


def _concluded(control: Control, key: tuple[str, str]) -> Control:
    """A concluded experiment assigns no more; its variants stay known to tasks assigned before."""
    run = control.experiments.get(key)
    if run is None:
        return control
    return replace(control, experiments={**control.experiments, key: replace(run, assigning=False)})


def _calibrating(control: Control, fact: CalibrationStarted) -> Control:
    """The first of an id runs; several may run beside each other."""
    key = (fact.tenant, fact.calibration_id)
    if key in control.calibrations:
        return control
    return replace(control, calibrations={**control.calibrations, key: Calibrating(fact)})


def _calibrated(control: Control, key: tuple[str, str]) -> Control:
    """One that is over takes no more copies."""
    one = control.calibrations.get(key)
    if one is None:
        return control
    return replace(control, calibrations={**control.calibrations, key: replace(one, running=False)})


def _searching(control: Control, fact: SearchStarted) -> Control:
    """The first of an id runs; several may run beside each other."""
    key = (fact.tenant, fact.search_id)
    if key in control.searches:
        return control
    return replace(control, searches={**control.searches, key: Searching(fact)})


def _searched(control: Control, key: tuple[str, str]) -> Control:
    """One that is over takes no more trials."""
    one = control.searches.get(key)
    if one is None:
        return control
    return replace(control, searches={**control.searches, key: replace(one, running=False)})


def _put_in_force(control: Control, fact: PolicySet | ModelPromoted | ModelRolledBack) -> Control:
    """Put a policy in force, or give the choice back: whoever said so last, of a person's word and the champion."""
    key = (fact.tenant, fact.scope)
    others = {known: policy for known, policy in control.policies.items() if known != key}
    if fact.policy is not None:
        others[key] = InForce(fact.policy, fact.parameters, None if isinstance(fact, PolicySet) else fact.model_id)
    return replace(control, policies=others)
