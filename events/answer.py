"""What producers wait for: the end of their task, or why their request was refused. Key: the task id or request key."""

from typing import Any

from events.event import Fact, event
from events.task import LeftOut, TaskOutcome
from events.topics import ANSWERS


@event("answer.given", version=1, topic=ANSWERS, key="task_id")
class AnswerGiven(Fact, frozen=True, kw_only=True):
    """A task ended. One id per task; a repeat carries the same."""

    task_id: str
    request_id: str
    requested_by: str
    outcome: TaskOutcome
    attempt: int | None = None
    agent: str | None = None
    output: Any = None
    output_sha256: str | None = None
    reason: str | None = None
    detail: str | None = None
    left_out: tuple[LeftOut, ...] = ()

    def slot(self) -> tuple[str | int, ...]:
        """One answer per task."""
        return (self.tenant, self.task_id, "answer")


@event("request.refused", version=1, topic=ANSWERS, key="request_key")
class RequestRefused(Fact, frozen=True, kw_only=True):
    """A request became no fact; `reason` is a code, `detail` a sentence that names the field."""

    request_key: str
    request_id: str | None
    requested_by: str | None
    reason: str
    detail: str
    origin: str

    def slot(self) -> tuple[str | int, ...]:
        """One refusal per record on the request topic."""
        return (self.tenant, "refused", self.origin)
