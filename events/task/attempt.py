"""An attempt, its steps, and which model each step used."""

from typing import Annotated, Any, Literal

from msgspec import Struct

from events.event import Fact, event
from events.field import says
from events.task.context import ChoiceContext
from events.task.reference import AttemptNumber, TaskRef
from events.topics import TASKS

AttemptOutcome = Literal["completed", "failed", "timed_out", "abandoned"]


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
    # Two pairs of digests, since they promise different things: of a tool's arguments and result nothing is kept but these, while
    # prompt and answer are names in the blob store. One pair could not say which is meant, and `attempt.ended` v1 is published:
    # what is stored under a name stays there.
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
