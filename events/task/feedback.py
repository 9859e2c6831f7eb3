"""What people thought of a result."""

from typing import Annotated, Literal

from msgspec import Struct

from events.event import Fact, Payload, event, upcast
from events.field import says
from events.task.reference import TaskRef
from events.topics import TASKS

FeedbackKind = Literal["boolean", "score", "comment", "correction", "comparison"]
Judged = Annotated[int | None, says("Attempt that is judged; null: the one that completed the task.")]
Worth = Annotated[float | None, says("0 is worst and 1 is best.")]


class Against(Struct, frozen=True):
    """The answer that another one was compared with; `attempt` null: the one that completed the task."""

    task_id: TaskRef
    attempt: Judged


class Sentiment(Struct, frozen=True):
    """What a model read out of a comment, kept so that nobody needs the model again."""

    model: Annotated[str, says("What read it, with its version.")]
    compound: Annotated[float, says("-1 is most negative and 1 most positive.")]


@event("feedback.given", version=2, topic=TASKS, key="task_id")
class FeedbackGiven(Fact, frozen=True, kw_only=True):
    """Somebody judged an attempt (None: the one that completed the task). `value` runs from 0 (worst) to 1 (best).

    Of a comparison it is 1 (better than the answer `against`), 0.5 (as good) or 0 (worse).
    """

    task_id: TaskRef
    attempt: Judged
    rater: Annotated[str, says("Who judges.")]
    kind: FeedbackKind
    value: Worth
    comment: str | None = None
    correction: str | None = None
    against: Against | None = None
    sentiment: Sentiment | None = None

    def slot(self) -> tuple[str | int, ...]:
        """One judgement per rater and attempt; changing it is a revision."""
        return (self.tenant, self.task_id, "feedback", self.attempt or 0, self.rater, 0)


@upcast("feedback.given", from_version=1)
def given_from_1(old: Payload) -> Payload:
    """Version 1 knew no comparisons; all that it holds means the same."""
    return old


@event("feedback.revised", version=2, topic=TASKS, key="task_id")
class FeedbackRevised(Fact, frozen=True, kw_only=True):
    """A rater changed their mind; the highest revision number counts, whatever the order of arrival."""

    task_id: TaskRef
    attempt: Judged
    rater: Annotated[str, says("Who judges.")]
    revision: Annotated[int, says("Number of the change; the highest counts.")]
    kind: FeedbackKind
    value: Worth
    comment: str | None = None
    correction: str | None = None
    against: Against | None = None
    sentiment: Sentiment | None = None

    def slot(self) -> tuple[str | int, ...]:
        """One fact per rater, attempt and revision number."""
        return (self.tenant, self.task_id, "feedback", self.attempt or 0, self.rater, self.revision)


@upcast("feedback.revised", from_version=1)
def revised_from_1(old: Payload) -> Payload:
    """Version 1 knew no comparisons; all that it holds means the same."""
    return old
