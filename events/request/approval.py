"""The request by which a person allows a call, or denies it."""

from typing import Annotated

from events.approval import Decision
from events.conversation import Base64
from events.event import event
from events.field import Ident, TaskId, says
from events.model import Sha256
from events.request.request import Reason, Request
from events.topics import REQUESTS


@event("approval.answer", version=1, topic=REQUESTS, key="task_id")
class AnswerApproval(Request, frozen=True, kw_only=True):
    """Allow or deny a call that an agent asks about; only the house's operator can sign it."""

    approval_id: Annotated[TaskId, says("Id of the question.")]
    task_id: TaskId
    arguments_sha256: Annotated[Sha256, says("sha256 of the arguments that are meant.")]
    decision: Annotated[Decision, says("granted, or denied.")]
    by: Annotated[Ident, says("Who says so.")]
    reason: Reason = ""
    proof: Annotated[Base64, says("Signature of the operator over `events.approval.answer_bytes`, base64.")]
