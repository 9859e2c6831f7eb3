"""From a request to the facts it becomes, or the reason why it becomes none. Pure: control state and time come in."""

import hashlib
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from events.agent import AgentPaused, AgentRegistered, AgentResumed, AgentRetired, AgentRevised, AgentSpec
from events.control import Control
from events.event import Envelope, Fact
from events.experiment import ExperimentConcluded, ExperimentStarted, Variant
from events.ids import task_id
from events.model import PolicySet
from events.request import (
    CancelTask,
    ChangeAgent,
    GiveFeedback,
    RegisterAgent,
    Request,
    ReviseFeedback,
    SetPolicy,
    StartExperiment,
    StopExperiment,
    SubmitTask,
)
from events.task import (
    Assignment,
    CancelRequested,
    ChoiceContext,
    Features,
    FeedbackGiven,
    FeedbackRevised,
    TaskAdmitted,
    TaskSubmitted,
)
from learning.assignment import assign
from learning.book import PolicyKey, Settings
from learning.errors import LearningError
from learning.reward import Judgement, quality_1

CONTROL_REQUESTS = (RegisterAgent, ChangeAgent, StartExperiment, StopExperiment, SetPolicy)


class Refused(Exception):
    """A request cannot become a fact; `reason` is a code, the message a sentence that names the field."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Rules(Struct, frozen=True):
    """What the operator allows: limits, defaults, who may change what is in force, where answers may go."""

    task_deadline_s: float
    max_attempts: int
    blob_threshold_bytes: int
    reply_topics: Collection[str]
    admins: Collection[str]


class Asked(Struct, frozen=True):
    """A request with its envelope and the tenant whose topic it came in on."""

    tenant: str
    envelope: Envelope
    request: Request


class Reading(Struct, frozen=True):
    """What was read out of a text: its language and features."""

    language: str
    features: Features


def admit_task(
    asked: Asked,
    request: SubmitTask,
    reading: Reading,
    control: Control,
    seen: dict[str, int],
    rules: Rules,
    now: datetime,
) -> tuple[TaskSubmitted, TaskAdmitted]:
    """Return the two facts of a submission.

    Raises:
        Refused: the deadline has passed, or the reply topic is not allowed.
    """
    submitted = _submitted(asked, request, rules, now)
    context = ChoiceContext(
        scope=request.scope,
        kind=request.kind,
        features=reading.features,
        priority=request.priority,
        deadline=submitted.deadline,
        max_attempts=submitted.max_attempts,
        assignment=_assignment(asked, request, control),
        seen=seen,
    )
    admitted = TaskAdmitted(tenant=asked.tenant, task_id=submitted.task_id, language=reading.language, context=context)
    return submitted, admitted


def _submitted(asked: Asked, request: SubmitTask, rules: Rules, now: datetime) -> TaskSubmitted:
    deadline = request.deadline or now + timedelta(seconds=rules.task_deadline_s)
    if deadline <= now:
        raise Refused("deadline_passed", f"deadline {deadline.isoformat()} has passed")
    if request.reply_to is not None and request.reply_to not in rules.reply_topics:
        raise Refused("reply_to_not_allowed", f"reply_to {request.reply_to!r} is not on the allow-list")
    raw = request.text.encode()
    return TaskSubmitted(
        tenant=asked.tenant,
        task_id=task_id(asked.tenant, asked.envelope.source, asked.envelope.id),
        request_id=asked.envelope.id,
        requested_by=asked.envelope.source,
        kind=request.kind,
        scope=request.scope,
        text=request.text if len(raw) <= rules.blob_threshold_bytes else None,
        text_sha256=hashlib.sha256(raw).hexdigest(),
        text_chars=len(request.text),
        input=request.input,
        priority=request.priority,
        deadline=deadline,
        max_attempts=request.max_attempts or rules.max_attempts,
        reply_to=request.reply_to,
    )


def _assignment(asked: Asked, request: SubmitTask, control: Control) -> Assignment | None:
    """Return the variant of the experiment that runs in the scope, if any: sticky, by hash of its salt and unit."""
    running = control.assigning_in(asked.tenant, request.scope)
    if running is None or (asked.tenant, request.scope) in control.policies:
        return None
    unit = request.unit or asked.envelope.source + "/" + asked.envelope.id
    weights = [(variant.name, variant.weight) for variant in running.variants]
    return Assignment(running.experiment_id, assign(running.salt, unit, weights), unit)


def facts_about_task(asked: Asked, request: CancelTask | GiveFeedback | ReviseFeedback) -> Fact:
    """Return the fact of a cancellation or of feedback.

    Raises:
        Refused: the feedback's value does not fit its kind.
    """
    match request:
        case CancelTask():
            return CancelRequested(
                tenant=asked.tenant,
                task_id=request.task_id,
                request_id=asked.envelope.id,
                requested_by=asked.envelope.source,
                reason=request.reason,
            )
        case GiveFeedback():
            _check_feedback(request, 0)
            return FeedbackGiven(tenant=asked.tenant, **msgspec.structs.asdict(request))
        case ReviseFeedback():
            _check_feedback(request, request.revision)
            return FeedbackRevised(tenant=asked.tenant, **msgspec.structs.asdict(request))


def _check_feedback(request: GiveFeedback | ReviseFeedback, revision: int) -> None:
    try:
        quality_1("completed", [Judgement(request.rater, revision, request.kind, request.value)])
    except LearningError as error:
        raise Refused("feedback_unusable", f"value: {error}") from error


def control_fact(asked: Asked, control: Control, rules: Rules, read: Callable[[str], Features]) -> Fact:
    """Return the fact of a request that changes what is in force.

    Raises:
        Refused: no right to, or what is named does not exist or is in the way.
    """
    if asked.tenant not in rules.admins:
        raise Refused("not_allowed", f"tenant {asked.tenant!r} may not change agents, experiments or policies")
    match asked.request:
        case RegisterAgent(spec=spec):
            return _registered(asked, spec, control, read)
        case ChangeAgent():
            return _changed(asked, asked.request, control)
        case StartExperiment():
            return _started(asked, asked.request, control)
        case StopExperiment():
            return _stopped(asked, asked.request, control)
        case SetPolicy():
            return _policy_set(asked, asked.request)
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
    known = control.agents.get((asked.tenant, spec.id))
    cls = AgentRevised if known is not None and known.state != "retired" else AgentRegistered
    return cls(
        tenant=asked.tenant,
        agent_id=spec.id,
        request_id=asked.envelope.id,
        spec=spec,
        digest=spec_digest(spec),
        described=read(spec.description),
    )


def _changed(asked: Asked, request: ChangeAgent, control: Control) -> Fact:
    known = control.agents.get((asked.tenant, request.agent_id))
    if known is None or known.state == "retired":
        raise Refused("unknown_agent", f"agent_id: there is no agent {request.agent_id!r}")
    common = {"tenant": asked.tenant, "agent_id": request.agent_id, "request_id": asked.envelope.id}
    match request.change:
        case "pause":
            return AgentPaused(**common, reason=request.reason)
        case "resume":
            return AgentResumed(**common)
        case "retire":
            return AgentRetired(**common, reason=request.reason)


def _started(asked: Asked, request: StartExperiment, control: Control) -> ExperimentStarted:
    if (asked.tenant, request.experiment_id) in control.experiments:
        raise Refused("experiment_exists", f"experiment_id: {request.experiment_id!r} was started before")
    if running := control.assigning_in(asked.tenant, request.scope):
        raise Refused("experiment_running", f"scope: {running.experiment_id!r} runs in {request.scope!r}; stop it first")
    _check_variants(request.variants)
    return ExperimentStarted(
        tenant=asked.tenant,
        experiment_id=request.experiment_id,
        request_id=asked.envelope.id,
        scope=request.scope,
        salt=request.salt or f"{request.experiment_id}/{asked.envelope.id}",
        variants=request.variants,
    )


def _check_variants(variants: tuple[Variant, ...]) -> None:
    for variant in variants:
        _check_policy(variant.policy, variant.parameters, f"variant {variant.name!r}")
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


def _policy_set(asked: Asked, request: SetPolicy) -> PolicySet:
    if request.policy is not None:
        _check_policy(request.policy, request.parameters, "policy")
    return PolicySet(
        tenant=asked.tenant,
        scope=request.scope,
        request_id=asked.envelope.id,
        policy=request.policy,
        parameters=request.parameters,
        reason=request.reason,
        set_by=asked.envelope.source,
    )


def _check_policy(name: str, parameters: Settings, where: str) -> None:
    """Refuse a policy that cannot be made; the width plays no part in that."""
    try:
        PolicyKey.of(name, parameters).make(1)
    except LearningError as error:
        raise Refused("bad_policy", f"{where}: {error}") from error
    except (TypeError, ValueError) as error:
        raise Refused("bad_policy", f"{where}: its parameters cannot be read: {error}") from error
