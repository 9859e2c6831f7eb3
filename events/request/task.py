"""Requests about tasks: do one, stop one, let nobody find one."""

from datetime import UTC
from typing import Annotated, Any

from msgspec import Meta, Struct

from events.calibration import CopyOf
from events.event import event
from events.field import Ident, Moment, Name, TaskId, says
from events.model import Sha256
from events.request.request import Reason, Request, ScopeName, Weight
from events.topics import REQUESTS

FileName = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*$(?!\n)")]
MediaType = Annotated[str, Meta(max_length=127, pattern=r"^[a-z0-9][a-z0-9!#&^_.+-]*/[a-z0-9][a-z0-9!#&^_.+-]*$(?!\n)")]


class GivenFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A file that comes with a task: its bytes, or the sha256 of one that its tenant brought before."""

    name: Annotated[FileName, says("What the file is called, without folders and no dot first.")]
    media_type: Annotated[MediaType, says("What it is, as in `application/pdf`; its first bytes must agree.")]
    content: Annotated[bytes | None, says("Its bytes, base64; null: `sha256` names a file that was brought before.")] = None
    sha256: Annotated[Sha256 | None, says("Digest of its bytes; beside `content` it is checked.")] = None


@event("task.submit", version=1, topic=REQUESTS, key="scope")
class SubmitTask(Request, frozen=True, kw_only=True):
    """Do this task. `input` goes to the agent as it is; no policy sees it. `unit` is what experiments assign by."""

    text: Annotated[str, Meta(min_length=1), says("What is to be done, in words.")]
    kind: Annotated[
        Name | None, says("Skill that an agent must have; null: agents are matched by what they say of themselves.")
    ] = None
    input: Annotated[dict[str, Any], says("Goes to the agent as it is; no policy sees it.")] = {}
    scope: ScopeName = "default"
    unit: Annotated[Ident | None, says("What an experiment assigns by, such as a customer; null: each request for itself.")] = (
        None
    )
    priority: Annotated[int, Meta(ge=0, le=9), says("9 is done first, 0 last.")] = 5
    deadline: Annotated[Moment | None, says("When the task expires, RFC 3339 with a zone; null: as the operator set it.")] = None
    max_attempts: Annotated[
        Annotated[int, Meta(ge=1, le=10)] | None, says("Attempts before the task has failed; null: as the operator set it.")
    ] = None
    reply_to: Annotated[Ident | None, says("Topic that gets the answer too; the operator has to allow it.")] = None
    costs: Annotated[Weight | None, says("Weight of cost in the reward; null: as the operator set it.")] = None
    latency: Annotated[Weight | None, says("Weight of latency in the reward; null: as the operator set it.")] = None
    agent: Annotated[Name | None, says("Who is to do it, and nobody else, whatever comes of it; null: a policy chooses.")] = None
    copy_of: Annotated[
        CopyOf | None, says("The task that a calibration does again with this one; null: it is a task of its own.")
    ] = None
    files: Annotated[tuple[GivenFile, ...], Meta(max_length=16), says("Files for the agent alone, each by another name.")] = ()
    avoid: Annotated[tuple[Name, ...], Meta(max_length=64), says("Agents that must not do it: somebody else is wanted.")] = ()

    def __post_init__(self) -> None:
        """Refuse a deadline that has no place in UTC; msgspec makes a refusal of the error."""
        try:
            _ = self.deadline and self.deadline.astimezone(UTC)
        except OverflowError as error:
            raise ValueError("`deadline` lies outside the years 1 to 9999 in UTC") from error


@event("task.cancel", version=1, topic=REQUESTS, key="task_id")
class CancelTask(Request, frozen=True, kw_only=True):
    """Stop this task if it has not ended."""

    task_id: TaskId
    reason: Reason = ""


@event("task.forget", version=1, topic=REQUESTS, key="task_id")
class ForgetTask(Request, frozen=True, kw_only=True):
    """Let nobody find this task by likeness any more."""

    task_id: TaskId
    reason: Reason = ""
