"""Plans: a task that no single agent can do, split into parts, each a task of its own. Key: the task that was split."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from events.event import Fact, event
from events.field import Ident, Name, Sentence, says
from events.task import AttemptNumber, TaskRef
from events.topics import TASKS

SUPERVISOR = "smolit/supervisor"  # as it stands in the source of requests and facts: kept for ever
StepName = Annotated[
    str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,63}$(?!\n)"), says("Name of the step: lower case, digits, `_` and `-`.")
]
StepOutcome = Literal["completed", "failed", "skipped"]
PlanOutcome = Literal["completed", "partial", "failed", "given_up"]
Merge = Literal["sections", "fields", "step"]


class PlanLimits(Struct, frozen=True, forbid_unknown_fields=True):
    """What stops splitting that runs away: parts of a task and of all below it, how deep it may go, and money."""

    parts: Annotated[Annotated[int, Meta(ge=1, le=200)], says("Tasks that it may be split into, with all below them.")] = 40
    depth: Annotated[Annotated[int, Meta(ge=1, le=5)], says("How many supervisors may stand above one another.")] = 3
    microusd: Annotated[
        Annotated[int, Meta(ge=0)] | None, says("No step begins when the others cost as much, in millionths of a dollar.")
    ] = None


class PlanStep(Struct, frozen=True, forbid_unknown_fields=True):
    """One part: which skill it needs and what it is given.

    In `text`, `input` and `files`, `${step.output.field}` stands for what another step gave, and `${task.text}`,
    `${task.input.field}` and `${task.files}` for what came with the task.
    """

    id: StepName
    kind: Annotated[Name, says("Skill that the agent must have.")]
    text: Annotated[str, Meta(min_length=1, max_length=100_000), says("What is to be done.")]
    input: Annotated[dict[str, Any], says("Goes to the agent as it is.")] = {}
    files: Annotated[tuple[Ident, ...], says("Files for the agent, each a reference.")] = ()
    after: Annotated[tuple[StepName, ...], says("Steps that have to be completed before, beside those referred to.")] = ()
    agent: Annotated[Name | None, says("Who is to do it; null: a policy chooses.")] = None
    ask: Annotated[Annotated[int, Meta(ge=1, le=9)], says("How many different agents are asked; their answers are settled.")] = 1
    needed: Annotated[bool, says("Whether the whole fails if this does; else the answer is marked partial.")] = False
    title: Annotated[Sentence | None, says("Heading of its section in the report; null: its id.")] = None


class Plan(Struct, frozen=True, forbid_unknown_fields=True):
    """Steps, how their results become one answer, and limits."""

    name: Name
    steps: Annotated[tuple[PlanStep, ...], Meta(min_length=1, max_length=50), says("The parts.")]
    version: Annotated[int, Meta(ge=1), says("Version of the plan, for people.")] = 1
    merge: Annotated[Merge, says("`sections`: one of each step; `fields`: outputs by step; `step`: the output of the last.")] = (
        "sections"
    )
    limits: PlanLimits = PlanLimits()


class Answered(Struct, frozen=True):
    """One of several answers to one question: who gave it, what it says, and what it leans on."""

    task_id: TaskRef
    agent: str
    output: Any
    confidence: Annotated[float | None, says("Reward that the policy expected of the agent; null: not known.")] = None
    citations: Annotated[int, says("Pieces of evidence that it names.")] = 0


@event("plan.made", version=1, topic=TASKS, key="task_id")
class PlanMade(Fact, frozen=True, kw_only=True):
    """An attempt at a task was split; its parts are tasks of their own, and the attempt goes on when they are over."""

    task_id: TaskRef
    attempt: AttemptNumber
    agent: str
    plan: Plan
    made_by: Annotated[str, says("What made the plan: rules with their version, a model, or whoever asked.")]
    why: Annotated[str, says("Why this plan, for people.")]
    depth: Annotated[int, says("How many supervisors stand above: 1 is the first.")]
    root_id: Annotated[str, says("Task that was split first; limits count from there.")]

    def slot(self) -> tuple[str | int, ...]:
        """One plan per attempt."""
        return (self.tenant, self.task_id, "plan_made", self.attempt)


@event("plan.step_started", version=1, topic=TASKS, key="task_id")
class PlanStepStarted(Fact, frozen=True, kw_only=True):
    """A step's task was asked for; the request has the id of this event, so asking again asks for nothing new."""

    task_id: TaskRef
    attempt: AttemptNumber
    step: str
    ask: Annotated[int, says("Which of the agents that are asked, from 1.")]
    kind: str
    avoid: Annotated[tuple[str, ...], says("Agents that were asked already.")] = ()

    def slot(self) -> tuple[str | int, ...]:
        """One start per step and agent asked."""
        return (self.tenant, self.task_id, "plan_step_started", self.attempt, self.step, self.ask)


@event("plan.settled", version=1, topic=TASKS, key="task_id")
class PlanSettled(Fact, frozen=True, kw_only=True):
    """Several agents answered one step: whether they contradict each other, and which answer counts by which rule."""

    task_id: TaskRef
    attempt: AttemptNumber
    step: str
    answers: tuple[Answered, ...]
    conflicts: Annotated[tuple[str, ...], says("What contradicts what, for people; empty: they agree.")]
    rule: Annotated[str, says("Name and version of the rule that settled it.")]
    chosen: Annotated[int | None, says("Place of the answer that counts, from 0; null: open, all are shown.")]

    def slot(self) -> tuple[str | int, ...]:
        """One per step."""
        return (self.tenant, self.task_id, "plan_settled", self.attempt, self.step)


@event("plan.step_ended", version=1, topic=TASKS, key="task_id")
class PlanStepEnded(Fact, frozen=True, kw_only=True):
    """A step is over; its output stands with the attempt of its task."""

    task_id: TaskRef
    attempt: AttemptNumber
    step: str
    outcome: StepOutcome
    parts: Annotated[tuple[str, ...], says("Tasks that did it.")]
    agents: Annotated[tuple[str, ...], says("Who did them.")]
    output_sha256: Annotated[str | None, says("Digest of the output as JSON with sorted keys.")] = None
    reason: str | None = None
    detail: str | None = None
    cost_microusd: int | None = None
    duration_us: int = 0

    def slot(self) -> tuple[str | int, ...]:
        """One end per step."""
        return (self.tenant, self.task_id, "plan_step_ended", self.attempt, self.step)


@event("plan.ended", version=1, topic=TASKS, key="task_id")
class PlanEnded(Fact, frozen=True, kw_only=True):
    """All that could be done of a plan is done, or its task ended before."""

    task_id: TaskRef
    attempt: AttemptNumber
    outcome: PlanOutcome
    completed: int
    failed: int
    skipped: int
    cost_microusd: int | None = None
    detail: str | None = None

    def slot(self) -> tuple[str | int, ...]:
        """One end per plan."""
        return (self.tenant, self.task_id, "plan_ended", self.attempt)
