"""How a plan stands: a fold of what its parts' tasks tell, kept as one document. Pure: nothing here knows time or Postgres."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from agents.told import passed_on
from events.answer import RequestRefused
from events.plan import Plan, PlanOutcome, PlanStep, StepOutcome
from events.task import AgentChosen, AttemptEnded, FileRef, TaskEnded, TaskSubmitted

PartOutcome = Literal["completed", "failed"]
Heard = AgentChosen | AttemptEnded | TaskEnded | RequestRefused


class Part(Struct, frozen=True):
    """One task of a step: who does it and with which chance it was chosen, and what came of it.

    `score` is what the policy expected of the agent. A long output stays in the blob store.
    """

    ask: int
    task_id: str
    agent: str | None = None
    propensity: float | None = None
    score: float | None = None
    policy: str | None = None
    candidates: int = 0
    attempt: int = 0  # the last one that an agent was chosen for
    ended_attempt: int = 0
    outcome: PartOutcome | None = None
    output: Any = None
    output_sha256: str | None = None
    reason: str | None = None
    detail: str | None = None
    cost_microusd: int | None = None
    duration_us: int = 0


class Settled(Struct, frozen=True):
    """Whether the answers of a step contradict each other, and which counts by which rule (None: open)."""

    rule: str
    conflicts: tuple[str, ...]
    chosen: int | None


class StepEnd(Struct, frozen=True):
    """How a step ended: `part` is the place of the part whose output counts."""

    outcome: StepOutcome
    part: int | None = None
    reason: str | None = None
    detail: str | None = None
    settled: Settled | None = None


class Brief(Struct, frozen=True):
    """What was asked of whoever split the task, as far as parts need it."""

    tenant: str
    task_id: str
    attempt: int
    agent: str
    scope: str
    priority: int
    text: str
    input: dict[str, Any]
    files: tuple[FileRef, ...]
    deadline: datetime  # of the parts: a little before the task's own, so that merging has time


_MERGING = timedelta(seconds=5)  # parts end so much before their task, or a tenth of the time left, so that it can be merged


def brief_of(task: TaskSubmitted, attempt: int, agent: str, text: str, now: datetime) -> Brief:
    """Return what parts need of a task that is split now; `text` is its whole text, wherever it was stored."""
    return Brief(
        tenant=task.tenant,
        task_id=task.task_id,
        attempt=attempt,
        agent=agent,
        scope=task.scope,
        priority=task.priority,
        text=text,
        input=task.input,
        files=task.files,
        deadline=task.deadline - min(_MERGING, (task.deadline - now) / 10),
    )


class Standing(Struct, frozen=True):
    """A plan, its parts by step, and the steps that are over."""

    brief: Brief
    plan: Plan
    made_by: str
    why: str
    depth: int
    root_id: str
    made_at: datetime
    parts: dict[str, tuple[Part, ...]] = {}
    ended: dict[str, StepEnd] = {}
    outcome: PlanOutcome | None = None
    ended_at: datetime | None = None

    @property
    def cost_microusd(self) -> int | None:
        """Return what all parts cost, as far as that is known."""
        known = [part.cost_microusd for parts in self.parts.values() for part in parts if part.cost_microusd is not None]
        return sum(known) if known else None

    @property
    def took(self) -> timedelta:
        """Return how long it took from the split to the end, parts and waiting included; nothing while it is open."""
        return (self.ended_at or self.made_at) - self.made_at

    @property
    def open_tasks(self) -> tuple[str, ...]:
        """Return the tasks of parts that are not over."""
        return tuple(part.task_id for parts in self.parts.values() for part in parts if part.outcome is None)

    def step(self, name: str) -> PlanStep:
        """Return a step by name."""
        return next(step for step in self.plan.steps if step.id == name)

    def result(self, name: str) -> Part | None:
        """Return the part whose output counts for a step, if there is one."""
        end = self.ended.get(name)
        return self.parts[name][end.part] if end is not None and end.part is not None else None


def heard(standing: Standing, task_id: str, fact: Heard) -> Standing:
    """Take in what a part's task tells; the first choice and end of each attempt and the first end of the task count."""
    parts = {
        name: tuple(_told(part, fact) if part.task_id == task_id else part for part in parts)
        for name, parts in standing.parts.items()
    }
    return replace(standing, parts=parts)


def _told(part: Part, fact: Heard) -> Part:
    """Return a part as it stands after a fact about its task."""
    if part.outcome is not None:
        return part
    match fact:
        case AgentChosen(attempt=attempt) if attempt > part.attempt:
            return _chosen(part, fact)
        case AttemptEnded(attempt=attempt) if attempt > part.ended_attempt:
            return _tried(part, fact)
        case TaskEnded(outcome="completed"):
            return replace(part, outcome="completed", agent=fact.agent)
        case TaskEnded():
            return replace(part, outcome="failed", reason=fact.reason or fact.outcome, detail=fact.detail)
        case RequestRefused():
            return replace(part, outcome="failed", reason=fact.reason, detail=fact.detail)
        case _:
            return part  # a repeat


def _chosen(part: Part, fact: AgentChosen) -> Part:
    score = next((one.score for one in fact.candidates if one.agent == fact.agent), None)
    return replace(
        part,
        agent=fact.agent,
        attempt=fact.attempt,
        propensity=fact.propensity,
        score=score,
        policy=f"{fact.policy.name}/{fact.policy.version}",
        candidates=len(fact.candidates),
    )


def _tried(part: Part, fact: AttemptEnded) -> Part:
    cost = None if part.cost_microusd is fact.cost_microusd is None else (part.cost_microusd or 0) + (fact.cost_microusd or 0)
    done = fact.outcome == "completed"
    return replace(
        part,
        ended_attempt=fact.attempt,
        cost_microusd=cost,
        duration_us=part.duration_us + fact.duration_us,
        output=fact.output if done else None,
        output_sha256=fact.output_sha256 if done else None,
    )


def known(standing: Standing, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what references may name; `outputs` are those of completed steps, long ones as well."""
    brief = standing.brief
    files = [{"name": one.name, "media_type": one.media_type, "sha256": one.sha256, "size": one.size} for one in brief.files]
    task = {"text": brief.text, "input": brief.input, "files": files}
    said = {name: {"output": output, "said": passed_on(output)} for name, output in outputs.items()}
    return {"task": task, **said}
