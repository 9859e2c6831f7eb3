"""From a request that changes what is in force to its fact, or why it has none. Pure."""

import hashlib
from collections.abc import Callable

import msgspec

from events.agent import AgentPaused, AgentRegistered, AgentResumed, AgentRetired, AgentRevised, AgentSpec
from events.calibration import CalibrationEnded, CalibrationStarted, Planned
from events.card import RegisterCard, RetireCard
from events.control import Control
from events.event import Fact
from events.experiment import ExperimentConcluded, ExperimentStarted, Variant
from events.model import PolicySet
from events.pool import fits_a_topic, is_remote
from events.request import (
    ChangeAgent,
    EndCalibration,
    EndSearch,
    EndTrial,
    JudgeModel,
    PromoteModel,
    RegisterAgent,
    RegisterModel,
    RollBackModel,
    SetPolicy,
    StartCalibration,
    StartExperiment,
    StartSearch,
    StopExperiment,
)
from events.task import Features
from learning.assignment import assign
from learning.errors import LearningError
from learning.network import Networks, none_here
from streams.admission import Asked, Refused, Rules, known_agent
from streams.change_card import CARD_CHANGES, card_fact
from streams.change_model import MODEL_CHANGES, Here, check_policy, model_fact
from streams.change_search import SEARCH_CHANGES, search_fact

CHANGES = (
    RegisterAgent, ChangeAgent, StartExperiment, StopExperiment, StartCalibration, EndCalibration, SetPolicy, *MODEL_CHANGES,
    *SEARCH_CHANGES, *CARD_CHANGES,
)  # fmt: skip


def control_fact(
    asked: Asked, control: Control, rules: Rules, read: Callable[[str], Features], networks: Networks = none_here
) -> Fact:
    """Return the fact of a request that changes what is in force; `networks` is where those lie that may serve.

    Raises:
        Refused: no right to, or what is named does not exist or is in the way.
    """
    if asked.tenant not in rules.admins:
        raise Refused("not_allowed", f"tenant {asked.tenant!r} may not change agents, experiments, calibrations or policies")
    match asked.request:
        case RegisterAgent(spec=spec):
            return _registered(asked, spec, control, read)
        case ChangeAgent():
            return _changed(asked, asked.request, control)
        case StartExperiment():
            return _started(asked, asked.request, control, networks)
        case StopExperiment():
            return _stopped(asked, asked.request, control)
        case StartCalibration():
            return _calibration_started(asked, asked.request, control)
        case EndCalibration():
            return _calibration_ended(asked, asked.request, control)
        case SetPolicy():
            return _policy_set(asked, asked.request, networks)
        case RegisterModel() | JudgeModel() | PromoteModel() | RollBackModel():
            return model_fact(asked, asked.request, control.registry, Here(networks, rules.context_map))
        case StartSearch() | EndTrial() | EndSearch():
            return search_fact(asked, asked.request, control)
        case RegisterCard() | RetireCard():
            return card_fact(asked, asked.request, control, read)
        case _:
            raise Refused("not_a_control_request", f"{asked.request.event_type.name} changes nothing in force")


def spec_digest(spec: AgentSpec) -> str:
    """Return the sha256 of a spec's canonical JSON."""
    return hashlib.sha256(msgspec.json.encode(spec, order="deterministic")).hexdigest()


def _registered(
    asked: Asked, spec: AgentSpec, control: Control, read: Callable[[str], Features]
) -> AgentRegistered | AgentRevised:
    if not spec.id or not spec.skills or not spec.description or not 0 < spec.timeout_s <= 86_400:
        raise Refused("bad_spec", "spec: id, description and skills must not be empty; timeout_s must be in (0, 86400]")
    if not all(text.strip() for text in spec.examples) or len(set(spec.examples)) < len(spec.examples):
        raise Refused("bad_spec", "spec: an example must say something, and none be there twice")
    if is_remote(spec) and not fits_a_topic(spec.pool or ""):
        raise Refused("bad_spec", "spec: an agent that lives elsewhere has a pool of lower-case letters, digits and hyphens")
    known = control.agents.get((asked.tenant, spec.id))
    cls = AgentRevised if known is not None and known.state != "retired" else AgentRegistered
    return cls(
        tenant=asked.tenant,
        agent_id=spec.id,
        request_id=asked.envelope.id,
        spec=spec,
        digest=spec_digest(spec),
        described=read(spec.description),
        examples=tuple(read(text) for text in spec.examples),
    )


def _changed(asked: Asked, request: ChangeAgent, control: Control) -> Fact:
    known_agent(asked.tenant, request.agent_id, control, "agent_id")
    common = {"tenant": asked.tenant, "agent_id": request.agent_id, "request_id": asked.envelope.id}
    match request.change:
        case "pause":
            return AgentPaused(**common, reason=request.reason)
        case "resume":
            return AgentResumed(**common)
        case "retire":
            return AgentRetired(**common, reason=request.reason)


def _started(asked: Asked, request: StartExperiment, control: Control, networks: Networks) -> ExperimentStarted:
    if (asked.tenant, request.experiment_id) in control.experiments:
        raise Refused("experiment_exists", f"experiment_id: {request.experiment_id!r} was started before")
    if running := control.assigning_in(asked.tenant, request.scope):
        raise Refused("experiment_running", f"scope: {running.experiment_id!r} runs in {request.scope!r}; stop it first")
    _check_variants(request.variants, networks)
    return ExperimentStarted(
        tenant=asked.tenant,
        experiment_id=request.experiment_id,
        request_id=asked.envelope.id,
        scope=request.scope,
        salt=request.salt or f"{request.experiment_id}/{asked.envelope.id}",
        variants=request.variants,
    )


def _check_variants(variants: tuple[Variant, ...], networks: Networks) -> None:
    for variant in variants:
        check_policy(variant.policy, variant.parameters, f"variant {variant.name!r}", networks)
    try:
        assign("check", "check", [(variant.name, variant.weight) for variant in variants])
    except LearningError as error:
        raise Refused("bad_variants", f"variants: {error}") from error


def _stopped(asked: Asked, request: StopExperiment, control: Control) -> ExperimentConcluded:
    run = control.experiments.get((asked.tenant, request.experiment_id))
    if run is None or not run.assigning:
        raise Refused("experiment_not_running", f"experiment_id: {request.experiment_id!r} does not run")
    return ExperimentConcluded(
        tenant=asked.tenant,
        experiment_id=request.experiment_id,
        request_id=asked.envelope.id,
        reason=request.reason,
    )


def _calibration_started(asked: Asked, request: StartCalibration, control: Control) -> CalibrationStarted:
    if (asked.tenant, request.calibration_id) in control.calibrations:
        raise Refused("calibration_exists", f"calibration_id: {request.calibration_id!r} was started before")
    _check_planned(asked.tenant, request.tasks, control)
    return CalibrationStarted(
        tenant=asked.tenant,
        calibration_id=request.calibration_id,
        request_id=asked.envelope.id,
        scope=request.scope,
        tasks=request.tasks,
        limits=request.limits,
        judged_by=request.judged_by,
    )


def _check_planned(tenant: str, tasks: tuple[Planned, ...], control: Control) -> None:
    """Refuse a plan that names a task or an agent twice, or an agent that nobody knows."""
    if len({one.task_id for one in tasks}) < len(tasks):
        raise Refused("bad_plan", "tasks: one is named twice")
    for one in tasks:
        if len(set(one.agents)) < len(one.agents):
            raise Refused("bad_plan", f"tasks: {one.task_id} names an agent twice")
        for agent in one.agents:
            known_agent(tenant, agent, control, "tasks")


def _calibration_ended(asked: Asked, request: EndCalibration, control: Control) -> CalibrationEnded:
    one = control.calibrations.get((asked.tenant, request.calibration_id))
    if one is None or not one.running:
        raise Refused("calibration_not_running", f"calibration_id: {request.calibration_id!r} does not run")
    return CalibrationEnded(
        tenant=asked.tenant,
        calibration_id=request.calibration_id,
        request_id=asked.envelope.id,
        why=request.why,
        reason=request.reason,
        copies=request.copies,
        judged=request.judged,
        cost_microusd=request.cost_microusd,
        costed=request.costed,
    )


def _policy_set(asked: Asked, request: SetPolicy, networks: Networks) -> PolicySet:
    if request.policy is not None:
        check_policy(request.policy, request.parameters, "policy", networks)
    return PolicySet(
        tenant=asked.tenant,
        scope=request.scope,
        request_id=asked.envelope.id,
        policy=request.policy,
        parameters=request.parameters,
        reason=request.reason,
        set_by=asked.envelope.source,
    )
