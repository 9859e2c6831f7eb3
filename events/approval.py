"""Calls of tools that a person is asked about: the question, what was answered, and what counts. Key: the task."""

from typing import Annotated, Any, Literal

import msgspec

from events.event import Fact, event
from events.field import Moment, says
from events.task import AttemptNumber, TaskRef
from events.topics import TASKS

Decision = Literal["granted", "denied"]
ApprovalId = Annotated[str, says("Id of the question; it follows from task, attempt, tool and arguments.")]
ArgumentsSha = Annotated[str, says("sha256 of the arguments: a grant is for these and no others.")]


def answer_bytes(tenant: str, approval_id: str, arguments_sha256: str, decision: Decision, by: str, reason: str) -> bytes:
    """Return what the operator signs who answers a question."""
    told = ["smolit:approval:1", tenant, approval_id, arguments_sha256, decision, by, reason]
    return msgspec.json.encode(told, order="deterministic")


@event("approval.asked", version=1, topic=TASKS, key="task_id")
class ApprovalAsked(Fact, frozen=True, kw_only=True):
    """An agent wants to change something, and waits until a person has said whether it may."""

    approval_id: ApprovalId
    task_id: TaskRef
    attempt: AttemptNumber
    agent: str
    tool: Annotated[str, says("What it wants to call, or whom.")]
    effect: Annotated[str, says("What that may change: write (in this house), outside, or read or none: nothing.")]
    why: Annotated[str, says("Why a person is asked: grant (its spec), rule (the tenant's) or tainted (text of a stranger).")]
    arguments: Annotated[Any, says("With which arguments; long ones by their digest and beginning.")]
    arguments_sha256: ArgumentsSha
    expires_at: Annotated[Moment, says("Denied from then on.")]

    def slot(self) -> tuple[str | int, ...]:
        """One question per call."""
        return (self.tenant, self.task_id, "approval_asked", self.approval_id)


@event("approval.answered", version=1, topic=TASKS, key="task_id")
class ApprovalAnswered(Fact, frozen=True, kw_only=True):
    """The operator answered, and signed it; whether it was in time is said by `approval.settled`."""

    approval_id: ApprovalId
    task_id: TaskRef
    arguments_sha256: ArgumentsSha
    decision: Decision
    by: Annotated[str, says("Who says so.")]
    reason: Annotated[str, says("Why, in their words.")]
    request_id: Annotated[str, says("`ce_id` of the request.")]

    def slot(self) -> tuple[str | int, ...]:
        """One fact per request."""
        return (self.tenant, self.task_id, "approval_answered", self.approval_id, self.request_id)


@event("approval.settled", version=1, topic=TASKS, key="task_id")
class ApprovalSettled(Fact, frozen=True, kw_only=True):
    """This counts: the first answer that was in time, or that there was none; the attempt goes on."""

    approval_id: ApprovalId
    task_id: TaskRef
    outcome: Literal["granted", "denied", "expired"]
    by: Annotated[str | None, says("Who answered; null: nobody.")] = None
    reason: Annotated[str, says("Why, in their words.")] = ""

    def slot(self) -> tuple[str | int, ...]:
        """One end per question."""
        return (self.tenant, self.task_id, "approval_settled", self.approval_id)
