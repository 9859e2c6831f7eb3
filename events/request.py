"""What outsiders may ask for. A request is not a fact: intake checks it and turns it into facts, once.

Its CloudEvents id and source name it; the tenant is decided by the topic it came in on.
"""

from datetime import UTC
from typing import Annotated, Any, Literal

from msgspec import Meta

from events.agent import AgentSpec
from events.event import Message, event
from events.experiment import Variant
from events.field import Ident, Moment, Name, Sentence, TaskId
from events.task import FeedbackKind
from events.topics import REQUESTS


class Request(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of everything that an outsider may ask for; unknown fields are refused."""


@event("task.submit", version=1, topic=REQUESTS, key="scope")
class SubmitTask(Request, frozen=True, kw_only=True):
    """Do this task. `input` goes to the agent as it is; no policy sees it. `unit` is what experiments assign by."""

    text: Annotated[str, Meta(min_length=1)]
    kind: Name | None = None
    input: dict[str, Any] = {}
    scope: Name = "default"
    unit: Ident | None = None
    priority: Annotated[int, Meta(ge=0, le=9)] = 5
    deadline: Moment | None = None
    max_attempts: Annotated[int, Meta(ge=1, le=10)] | None = None
    reply_to: Ident | None = None

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
    reason: Sentence = ""


@event("task.forget", version=1, topic=REQUESTS, key="task_id")
class ForgetTask(Request, frozen=True, kw_only=True):
    """Let nobody find this task by likeness any more."""

    task_id: TaskId
    reason: Sentence = ""


@event("feedback.give", version=1, topic=REQUESTS, key="task_id")
class GiveFeedback(Request, frozen=True, kw_only=True):
    """This is what I think of the result. `value` runs from 0 (worst) to 1 (best); a boolean is 0 or 1."""

    task_id: TaskId
    attempt: Annotated[int, Meta(ge=1, le=1000)] | None = None
    rater: Ident
    kind: FeedbackKind = "score"
    value: Annotated[float, Meta(ge=0, le=1)] | None = None
    comment: Sentence | None = None
    correction: Sentence | None = None


@event("feedback.revise", version=1, topic=REQUESTS, key="task_id")
class ReviseFeedback(Request, frozen=True, kw_only=True):
    """I changed my mind; the highest revision number counts."""

    task_id: TaskId
    attempt: Annotated[int, Meta(ge=1, le=1000)] | None = None
    rater: Ident
    revision: Annotated[int, Meta(ge=1, le=1_000_000)]
    kind: FeedbackKind = "score"
    value: Annotated[float, Meta(ge=0, le=1)] | None = None
    comment: Sentence | None = None
    correction: Sentence | None = None


@event("agent.register", version=1, topic=REQUESTS, key="agent_id")
class RegisterAgent(Request, frozen=True, kw_only=True):
    """Add this agent, or revise it if its id is known."""

    spec: AgentSpec

    @property
    def agent_id(self) -> str:
        """Return the key of the request."""
        return self.spec.id


@event("agent.change", version=1, topic=REQUESTS, key="agent_id")
class ChangeAgent(Request, frozen=True, kw_only=True):
    """Pause (drain), resume or retire an agent."""

    agent_id: Name
    change: Literal["pause", "resume", "retire"]
    reason: Sentence = ""


@event("experiment.start", version=1, topic=REQUESTS, key="experiment_id")
class StartExperiment(Request, frozen=True, kw_only=True):
    """Compare these policies on the scope's tasks from now on."""

    experiment_id: Name
    scope: Name = "default"
    variants: Annotated[tuple[Variant, ...], Meta(min_length=2, max_length=16)]
    salt: Ident | None = None


@event("experiment.stop", version=1, topic=REQUESTS, key="experiment_id")
class StopExperiment(Request, frozen=True, kw_only=True):
    """Assign no more units to this experiment."""

    experiment_id: Name
    reason: Sentence = ""


@event("policy.put", version=1, topic=REQUESTS, key="scope")
class SetPolicy(Request, frozen=True, kw_only=True):
    """Put this policy in force for the scope, above any experiment; None gives the choice back."""

    scope: Name = "default"
    policy: Name | None
    parameters: dict[str, Any] = {}
    reason: Annotated[str, Meta(min_length=1, max_length=10_000)]
