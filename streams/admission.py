"""From a request to the facts it becomes, or the reason why it becomes none. Pure: control state and time come in."""

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from events.control import Control
from events.event import Envelope, Fact
from events.ids import task_id
from events.request import (
    CancelTask,
    ForgetTask,
    GiveFeedback,
    Request,
    ReviseFeedback,
    SubmitTask,
)
from events.task import (
    Against,
    Assignment,
    CancelRequested,
    ChoiceContext,
    Features,
    FeedbackGiven,
    FeedbackRevised,
    RewardTerms,
    Sentiment,
    TaskAdmitted,
    TaskForgotten,
    TaskSubmitted,
)
from learning.assignment import assign
from learning.errors import FeedbackIncomplete, RewardError
from learning.feedback import Judgement, check

_MOST_NAMES, _LONGEST_NAME = 64, 100  # of what a task brings: every choice carries them along


class Refused(Exception):
    """A request cannot become a fact; `reason` is a code, the message a sentence that names the field."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Rules(Struct, frozen=True):
    """What the operator allows: limits, defaults, who may change what is in force, where answers may go.

    `context_map` makes the contexts that policies see here (None: not said, so nothing is compared with it).
    """

    task_deadline_s: float
    max_attempts: int
    blob_threshold_bytes: int
    reply_topics: Collection[str]
    admins: Collection[str]
    reward: Mapping[str, RewardTerms]  # by tenant
    context_map: str | None = None


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
        Refused: the deadline has passed, the reply topic is not allowed, the weights leave nothing for quality, the agent
            that is asked for is not known, or the calibration that it is a copy for does not run.
    """
    _check_asked_for(asked.tenant, request, control)
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
        reward=_terms(request, rules.reward[asked.tenant]),
        agent=request.agent,
        tried=request.avoid,
        brings=_brings(request),
    )
    admitted = TaskAdmitted(tenant=asked.tenant, task_id=submitted.task_id, language=reading.language, context=context)
    return submitted, admitted


def _brings(request: SubmitTask) -> tuple[str, ...] | None:
    """Return what a task comes with besides its text; None where that is too much to carry along with every choice."""
    files = (f"file:{one.media_type}" for one in request.files)
    found = tuple(sorted({*request.input, *files}))
    return found if len(found) <= _MOST_NAMES and all(len(one) <= _LONGEST_NAME for one in found) else None


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
        agent=request.agent,
        copy_of=request.copy_of,
    )


def known_agent(tenant: str, agent_id: str, control: Control, field: str) -> None:
    """Refuse an agent that is not there, or no more."""
    known = control.agents.get((tenant, agent_id))
    if known is None or known.state == "retired":
        raise Refused("unknown_agent", f"{field}: there is no agent {agent_id!r}")


def _check_asked_for(tenant: str, request: SubmitTask, control: Control) -> None:
    """Refuse a name that nobody has; a paused agent may be resumed before a choice, so that is for who chooses to say."""
    if request.agent is not None:
        known_agent(tenant, request.agent, control, "agent")
    if request.copy_of is None:
        return
    if request.agent is None:
        raise Refused("bad_copy", "agent: a copy for a calibration says who does it")
    one = control.calibrations.get((tenant, request.copy_of.calibration))
    if one is None or not one.running:
        raise Refused("calibration_not_running", f"copy_of: calibration {request.copy_of.calibration!r} does not run")


def _terms(request: SubmitTask, usual: RewardTerms) -> RewardTerms:
    """Return how the task's rewards are made: as its producer said, else as the operator set it for the tenant."""
    costs = usual.cost_weight if request.costs is None else request.costs
    latency = usual.latency_weight if request.latency is None else request.latency
    if costs + latency > 1.0:
        asked = "costs" if request.costs is not None else "latency"
        raise Refused("reward_weights", f"{asked}: cost and latency together weigh {costs + latency:g}; it may be 1 at most")
    return replace(usual, cost_weight=costs, latency_weight=latency)


def _assignment(asked: Asked, request: SubmitTask, control: Control) -> Assignment | None:
    """Return the variant of the experiment that runs in the scope, if any: sticky, by hash of its salt and unit.

    A task that names its agent takes part in none: no policy chooses for it.
    """
    running = control.assigning_in(asked.tenant, request.scope)
    if running is None or request.agent is not None or (asked.tenant, request.scope) in control.policies:
        return None
    unit = request.unit or asked.envelope.source + "/" + asked.envelope.id
    weights = [(variant.name, variant.weight) for variant in running.variants]
    return Assignment(running.experiment_id, assign(running.salt, unit, weights), unit)


def facts_about_task(
    asked: Asked, request: CancelTask | ForgetTask | GiveFeedback | ReviseFeedback, sentiment: Sentiment | None = None
) -> Fact:
    """Return the fact of a cancellation, of forgetting, or of feedback, with what was read out of its comment.

    Raises:
        Refused: the feedback's fields do not fit its kind.
    """
    match request:
        case CancelTask() | ForgetTask():
            fact = CancelRequested if isinstance(request, CancelTask) else TaskForgotten
            return fact(
                tenant=asked.tenant,
                task_id=request.task_id,
                request_id=asked.envelope.id,
                requested_by=asked.envelope.source,
                reason=request.reason,
            )
        case GiveFeedback():
            return FeedbackGiven(**_said(asked.tenant, request, sentiment))
        case ReviseFeedback():
            return FeedbackRevised(**_said(asked.tenant, request, sentiment), revision=request.revision)


def _said(tenant: str, request: GiveFeedback | ReviseFeedback, sentiment: Sentiment | None) -> dict[str, Any]:
    """Return what both facts of feedback hold."""
    try:
        check(Judgement(request.rater, 0, request.kind, request.value, correction=request.correction), request.comment)
        against = _against(request)
    except RewardError as error:
        raise Refused("feedback_unusable", f"{error.field}: {error}") from error
    return {
        "tenant": tenant,
        **{name: getattr(request, name) for name in ("task_id", "attempt", "rater", "kind", "value", "comment", "correction")},
        "against": against,
        "sentiment": sentiment,
    }


def _against(request: GiveFeedback | ReviseFeedback) -> Against | None:
    """Return the other answer of a comparison; raises FeedbackIncomplete where it is missing, or may be the same one."""
    other = request.against
    if (request.kind == "comparison") != (other is not None):
        raise FeedbackIncomplete("against", "a comparison, and nothing else, says what the answer is compared with")
    if other is None:
        return None
    told_apart = None not in (other.attempt, request.attempt) and other.attempt != request.attempt
    if other.task_id in (None, request.task_id) and not told_apart:
        raise FeedbackIncomplete("against", "two answers to one task are told apart by `attempt` and `against.attempt`")
    return Against(other.task_id or request.task_id, other.attempt)


def wants_sentiment(request: GiveFeedback | ReviseFeedback) -> str | None:
    """Return the comment that only a model can make a number of."""
    return request.comment if request.kind == "comment" and request.value is None else None
