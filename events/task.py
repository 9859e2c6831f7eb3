"""What happens to one task, from its submission to what people thought of the result. Key: the task id."""

from typing import Annotated, Any, Literal

from msgspec import Struct

from events.calibration import CopyOf
from events.event import Fact, Payload, event, upcast
from events.field import Moment, says
from events.topics import TASKS

AttemptOutcome = Literal["completed", "failed", "timed_out", "abandoned"]
TaskOutcome = Literal["completed", "failed", "cancelled", "expired"]
FeedbackKind = Literal["boolean", "score", "comment", "correction", "comparison"]
TaskRef = Annotated[str, says("Id of the task.")]
AttemptNumber = Annotated[int, says("Which attempt at the task, counted from 1.")]
Judged = Annotated[int | None, says("Attempt that is judged; null: the one that completed the task.")]
Worth = Annotated[float | None, says("0 is worst and 1 is best.")]


class FileRef(Struct, frozen=True):
    """A file that came with a task; its bytes lie in the blob store under their sha256."""

    name: Annotated[str, says("What the file is called.")]
    media_type: Annotated[str, says("What it is, as in `application/pdf`.")]
    sha256: Annotated[str, says("Digest of its bytes, and its name in the blob store.")]
    size: Annotated[int, says("How many bytes it has.")]


class Features(Struct, frozen=True):
    """What a policy may see of a task's text: little-endian float16 vectors and the version that made them."""

    version: str
    embedding: bytes
    surface: bytes


class Assignment(Struct, frozen=True):
    """The variant of a running experiment that a unit was put into, by hash."""

    experiment: str
    variant: str
    unit: str


class RewardTerms(Struct, frozen=True):
    """How rewards of a task are made, fixed when it is admitted, so that each can be made again whatever the settings say later.

    Quality has the weight that cost and latency leave. A scale is the amount that is worth one half: less is worth more.
    """

    rule: Annotated[str, says("Name and version of the rule.")]
    cost_weight: Annotated[float, says("Weight of cost, 0 to 1.")]
    latency_weight: Annotated[float, says("Weight of latency, 0 to 1.")]
    cost_half_microusd: Annotated[int, says("Cost of an attempt that is worth one half, in millionths of a dollar.")]
    latency_half_us: Annotated[int, says("Duration of an attempt that is worth one half, in microseconds.")]


class ChoiceContext(Struct, frozen=True):
    """All that is needed to choose an agent for a task, again if need be: a choice looks nowhere else.

    `tried` are the agents whose attempts failed. `kind` None means: match by the agents' descriptions. `seen` holds how
    far intake had read each control topic: who chooses waits until it has read as far, so that an agent registered
    before a task is known when the task is given away. `reward` None (a choice of an older release): rule `quality/1`.
    `agent`: who was asked for by name; nobody else may do it, so the choice says nothing of the policy. `brings`: what the
    task comes with besides its text, sorted: the names in its input, and `file:` with the media type of each file; an agent
    that needs something else is no candidate. None: not recorded (an older release, or too many names).
    """

    scope: str
    kind: str | None
    features: Features
    priority: int
    deadline: Moment
    max_attempts: int
    assignment: Assignment | None = None
    tried: tuple[str, ...] = ()
    seen: dict[str, int] = {}
    reward: RewardTerms | None = None
    agent: str | None = None
    brings: tuple[str, ...] | None = None


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


class Candidate(Struct, frozen=True, gc=False, omit_defaults=True):
    """One agent that could have been chosen: its score, the parts it is the sum of, and its exact probability.

    `fit` is the cosine of task and description, there if the policy looked at it.
    """

    agent: str
    score: float
    parts: dict[str, float]
    probability: float
    fit: float | None = None


class LeftOut(Struct, frozen=True, omit_defaults=True):
    """One agent that could not be chosen, and why; `fit` is the cosine of task and description where measured.

    `lacks`: what the agent needs and the task did not bring; of alternatives (`csv or file:*`) one would do.
    """

    agent: str
    reason: str
    fit: float | None = None
    lacks: tuple[str, ...] = ()


class PolicyRef(Struct, frozen=True):
    """The policy that chose, and the state it was in.

    `upto` is the offset, in the scope's learning partition, of the last example taken in (-1: none); `digest` names the
    state's bytes. `model` is the id of the version that was promoted; the state has gone on learning since.
    """

    name: str
    version: int
    parameters: dict[str, Any]
    digest: str
    upto: int
    model: str | None = None


@event("agent.chosen", version=1, topic=TASKS, key="task_id")
class AgentChosen(Fact, frozen=True, kw_only=True):
    """An agent was chosen for one attempt, with the probability it had and all that is needed to recompute it."""

    task_id: TaskRef
    attempt: AttemptNumber
    context: ChoiceContext
    context_map: Annotated[str, says("What made a policy's context of the features.")]
    candidates: Annotated[tuple[Candidate, ...], says("Who could be chosen.")]
    left_out: Annotated[tuple[LeftOut, ...], says("Who could not.")]
    agent: Annotated[str, says("Who was chosen.")]
    propensity: Annotated[float, says("The probability that the agent had.")]
    draw: Annotated[float, says("The number in [0, 1) that decided.")]
    explored: Annotated[bool, says("Whether it is another agent than the policy's favourite.")]
    policy: Annotated[PolicyRef, says("What chose, and the state it was in.")]
    decided_by: Annotated[Literal["default", "experiment", "policy_set"], says("Why it was this policy that chose.")]
    weights: Annotated[dict[str, float] | None, says("Weights of the parts in the scores, where the policy learns such.")] = None

    def slot(self) -> tuple[str | int, ...]:
        """One choice per attempt."""
        return (self.tenant, self.task_id, "chosen", self.attempt)


@event("attempt.started", version=1, topic=TASKS, key="task_id")
class AttemptStarted(Fact, frozen=True, kw_only=True):
    """A worker began the attempt; a later worker that takes over after a crash fills the same slot."""

    task_id: TaskRef
    attempt: AttemptNumber
    agent: str
    worker: str

    def slot(self) -> tuple[str | int, ...]:
        """One start per attempt."""
        return (self.tenant, self.task_id, "attempt_started", self.attempt)


class ModelCandidate(Struct, frozen=True, gc=False, omit_defaults=True):
    """One model that a step could have used: its score, the parts that it is the sum of, and its exact probability.

    `model` is name and version, `fit` the cosine of text and card, `judged` how many outcomes at this subtask were known of it.
    """

    model: str
    score: float
    parts: dict[str, float]
    probability: float
    fit: float | None = None
    judged: int = 0


class ModelLeftOut(Struct, frozen=True):
    """One model that a step could not use, and why."""

    model: str
    reason: str


class ModelChoice(Struct, frozen=True):
    """Which model a step used, and everything needed to explain it and to learn from it.

    `rule` is the place of the rule that narrowed the candidates down, from 1; `learned` how many outcomes the policy knew.
    """

    model: Annotated[str, says("Name and version of what was chosen.")]
    subtask: Annotated[str, says("What it was chosen for.")]
    domain: Annotated[str | None, says("What the text is about, if that was known.")]
    probability: Annotated[float, says("The probability that the model had.")]
    draw: Annotated[float, says("The number in [0, 1) that decided.")]
    explored: Annotated[bool, says("Whether it is another model than the policy's favourite.")]
    candidates: tuple[ModelCandidate, ...]
    left_out: tuple[ModelLeftOut, ...]
    policy: Annotated[str, says("What chose, with its version.")]
    digest: Annotated[str, says("Digest of the state that it was in.")]
    learned: int
    rule: int | None = None


class Step(Struct, frozen=True):
    """One step of an agent's pipeline: how long it took, and what it used. Absent figures were not measured.

    A call of a tool is a step, too, with the digests of what went in and came out; `error` says why it brought nothing.
    What a language model was asked and what it answered are in the blob store under their sha256.
    """

    name: str
    duration_us: int
    model: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_microusd: int | None = None
    arguments_sha256: str | None = None
    result_sha256: str | None = None
    error: str | None = None
    prompt_sha256: str | None = None
    answer_sha256: str | None = None
    choice: Annotated[ModelChoice | None, says("How the step's model was chosen, where there was a choice.")] = None


@event("attempt.ended", version=1, topic=TASKS, key="task_id")
class AttemptEnded(Fact, frozen=True, kw_only=True):
    """An attempt is over. Failed and timed out fill the same slot as completed, so only one of them counts.

    `context` is there when another agent may be chosen, with this one among the tried.
    """

    task_id: TaskRef
    attempt: AttemptNumber
    agent: str
    scope: str
    outcome: AttemptOutcome
    worker: str
    epoch: Annotated[int, says("How often the attempt was claimed.")]
    duration_us: int
    steps: tuple[Step, ...]
    output: Any = None
    output_sha256: str | None = None
    error: str | None = None
    cost_microusd: int | None = None
    context: ChoiceContext | None = None

    def slot(self) -> tuple[str | int, ...]:
        """One end per attempt, whatever its kind."""
        return (self.tenant, self.task_id, "attempt_ended", self.attempt)


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
