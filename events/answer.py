"""What producers wait for: the end of their task, or why their request was refused. Key: the task id or request key."""

from typing import Annotated, Any

from events.event import Fact, event
from events.field import says
from events.task import LeftOut, TaskOutcome
from events.topics import ANSWERS


@event("answer.given", version=1, topic=ANSWERS, key="task_id")
class AnswerGiven(Fact, frozen=True, kw_only=True):
    """A task ended. One id per task; a repeat carries the same."""

    task_id: Annotated[str, says("Id of the task: what feedback and cancellation name.")]
    request_id: Annotated[str, says("`ce_id` of the request.")]
    requested_by: Annotated[str, says("`ce_source` of the request.")]
    outcome: Annotated[TaskOutcome, says("How the task ended.")]
    attempt: Annotated[int | None, says("Attempt that completed it, counted from 1.")] = None
    agent: Annotated[str | None, says("Agent that completed it.")] = None
    output: Annotated[Any, says("The result, as the agent gave it; null if it lies in the blob store.")] = None
    output_sha256: Annotated[str | None, says("Where a large result lies in the blob store.")] = None
    reason: Annotated[str | None, says("Code of what went wrong.")] = None
    detail: Annotated[str | None, says("What went wrong, for people.")] = None
    left_out: Annotated[tuple[LeftOut, ...], says("Agents that could not be chosen, if none could.")] = ()

    def slot(self) -> tuple[str | int, ...]:
        """One answer per task."""
        return (self.tenant, self.task_id, "answer")


@event("request.refused", version=1, topic=ANSWERS, key="request_key")
class RequestRefused(Fact, frozen=True, kw_only=True):
    """A request became no fact; `reason` is a code, `detail` a sentence that names the field."""

    request_key: Annotated[str, says("Id under which intake knows the request.")]
    request_id: Annotated[str | None, says("`ce_id` of the request, if it could be read.")]
    requested_by: Annotated[str | None, says("`ce_source` of the request, if it could be read.")]
    reason: Annotated[str, says("Code of what is wrong.")]
    detail: Annotated[str, says("What is wrong, for people; it names the field.")]
    origin: Annotated[str, says("Place of the refused record: topic/partition/offset.")]

    def slot(self) -> tuple[str | int, ...]:
        """One refusal per record on the request topic."""
        return (self.tenant, "refused", self.origin)
