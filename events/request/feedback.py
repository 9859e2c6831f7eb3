"""Requests that say what somebody thinks of a result."""

from typing import Annotated

from msgspec import Meta, Struct

from events.event import event
from events.field import Ident, Sentence, TaskId, says
from events.request.request import Request
from events.task import FeedbackKind
from events.topics import REQUESTS

Judged = Annotated[
    Annotated[int, Meta(ge=1, le=1000)] | None,
    says("Attempt that is judged, counted from 1; null: the one that completed the task."),
]
Rater = Annotated[Ident, says("Who judges: each rater has one say about an attempt, and may revise it.")]
Kind = Annotated[FeedbackKind, says("What sort of judgement it is; `boolean`, `score` and `comparison` need a value.")]
Worth = Annotated[
    Annotated[float, Meta(ge=0, le=1)] | None,
    says("0 is worst and 1 is best; a boolean is 0 or 1, a comparison 1 (better), 0.5 (as good) or 0 (worse)."),
]
Comment = Annotated[Sentence | None, says("What the rater says in words; alone it counts by its sentiment.")]
Correction = Annotated[Sentence | None, says("What the result should have been; alone it counts by how alike the two are.")]


class OtherAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """The answer that one is compared with: another attempt at the task, or the answer to another task."""

    task_id: Annotated[TaskId | None, says("Task of the other answer; null: the same task.")] = None
    attempt: Annotated[
        Annotated[int, Meta(ge=1, le=1000)] | None, says("Attempt that gave it, from 1; null: the one that completed the task.")
    ] = None


Other = Annotated[OtherAnswer | None, says("What a comparison compares with; only a comparison has it.")]


@event("feedback.give", version=1, topic=REQUESTS, key="task_id")
class GiveFeedback(Request, frozen=True, kw_only=True):
    """This is what I think of the result. `value` runs from 0 (worst) to 1 (best); a boolean is 0 or 1."""

    task_id: TaskId
    attempt: Judged = None
    rater: Rater
    kind: Kind = "score"
    value: Worth = None
    comment: Comment = None
    correction: Correction = None
    against: Other = None


@event("feedback.revise", version=1, topic=REQUESTS, key="task_id")
class ReviseFeedback(Request, frozen=True, kw_only=True):
    """I changed my mind; the highest revision number counts."""

    task_id: TaskId
    attempt: Judged = None
    rater: Rater
    revision: Annotated[int, Meta(ge=1, le=1_000_000), says("Number of the change, from 1; the highest counts.")]
    kind: Kind = "score"
    value: Worth = None
    comment: Comment = None
    correction: Correction = None
    against: Other = None
