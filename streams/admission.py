"""From a request to the facts it becomes, or the reason why it becomes none. Pure: control state and time come in."""

import hashlib
from collections.abc import Collection
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

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
    Assignment,
    CancelRequested,
    ChoiceContext,
    Features,
    FeedbackGiven,
    FeedbackRevised,
    TaskAdmitted,
    TaskForgotten,
    TaskSubmitted,
)
from learning.assignment import assign
from learning.errors import LearningError
from learning.reward import Judgement, quality_1


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


def facts_about_task(asked: Asked, request: CancelTask | ForgetTask | GiveFeedback | ReviseFeedback) -> Fact:
    """Return the fact of a cancellation, of forgetting, or of feedback.

    Raises:
        Refused: the feedback's value does not fit its kind.
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
