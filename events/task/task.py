"""A task from its submission to its end."""

from typing import Annotated, Any, Literal

from msgspec import Struct

from events.calibration import CopyOf
from events.event import Fact, event
from events.field import Moment, says
from events.task.choice import LeftOut
from events.task.context import ChoiceContext
from events.task.reference import TaskRef
from events.topics import TASKS

TaskOutcome = Literal["completed", "failed", "cancelled", "expired"]


class FileRef(Struct, frozen=True):
    """A file that came with a task; its bytes lie in the blob store under their sha256."""

    name: Annotated[str, says("What the file is called.")]
    media_type: Annotated[str, says("What it is, as in `application/pdf`.")]
    sha256: Annotated[str, says("Digest of its bytes, and its name in the blob store.")]
    size: Annotated[int, says("How many bytes it has.")]


@event("task.submitted", version=1, topic=TASKS, key="task_id")
class TaskSubmitted(Fact, frozen=True, kw_only=True):
    """A task was accepted: what is asked, by whom, until when.

    The text is either inline or in the blob store under its sha256. `input` is for the agent alone; no policy sees it.
    """

    task_id: TaskRef
    request_id: Annotated[str, says("`ce_id` of the request.")]
    requested_by: Annotated[str, says("`ce_source` of the request.")]
    kind: str | None
    scope: str
    text: Annotated[str | None, says("What is to be done; null if it lies in the blob store.")]
    text_sha256: Annotated[str, says("Digest of the text, and its name in the blob store.")]
    text_chars: Annotated[int, says("How long the text is.")]
    input: dict[str, Any]
    priority: int
    deadline: Moment
    max_attempts: int
    reply_to: str | None
    agent: Annotated[str | None, says("Who is to do it, and nobody else; null: a policy chooses.")] = None
    copy_of: CopyOf | None = None
    files: Annotated[tuple[FileRef, ...], says("Files that came with the task, for the agent alone.")] = ()

    def slot(self) -> tuple[str | int, ...]:
        """One submission per task."""
        return (self.tenant, self.task_id, "submitted")


@event("task.admitted", version=1, topic=TASKS, key="task_id")
class TaskAdmitted(Fact, frozen=True, kw_only=True):
    """A task was read: its language, features and experiment variant are fixed from here on."""

    task_id: TaskRef
    language: str
    context: ChoiceContext

    def slot(self) -> tuple[str | int, ...]:
        """One admission per task."""
        return (self.tenant, self.task_id, "admitted")


@event("task.cancel_requested", version=1, topic=TASKS, key="task_id")
class CancelRequested(Fact, frozen=True, kw_only=True):
    """Somebody asked to cancel the task; whether it was in time is said by the task's end."""

    task_id: TaskRef
    request_id: Annotated[str, says("`ce_id` of the request.")]
    requested_by: Annotated[str, says("`ce_source` of the request.")]
    reason: str

    def slot(self) -> tuple[str | int, ...]:
        """One cancellation request per task is enough."""
        return (self.tenant, self.task_id, "cancel_requested")


@event("task.forgotten", version=1, topic=TASKS, key="task_id")
class TaskForgotten(Fact, frozen=True, kw_only=True):
    """Nobody finds this task by likeness any more: its vector is deleted where like tasks are looked up; its history stays."""

    task_id: TaskRef
    request_id: Annotated[str, says("`ce_id` of the request.")]
    requested_by: Annotated[str, says("`ce_source` of the request.")]
    reason: str

    def slot(self) -> tuple[str | int, ...]:
        """A task is forgotten once."""
        return (self.tenant, self.task_id, "forgotten")


@event("task.ended", version=1, topic=TASKS, key="task_id")
class TaskEnded(Fact, frozen=True, kw_only=True):
    """A task is over, in one of four ways; `reason` is a code, `detail` a sentence for people."""

    task_id: TaskRef
    scope: str
    outcome: TaskOutcome
    attempts: int
    agent: str | None = None
    reason: Annotated[str | None, says("Code of what went wrong.")] = None
    detail: Annotated[str | None, says("What went wrong, for people.")] = None
    left_out: tuple[LeftOut, ...] = ()

    def slot(self) -> tuple[str | int, ...]:
        """One end per task, whatever its kind."""
        return (self.tenant, self.task_id, "ended")
