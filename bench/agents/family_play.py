"""Does a task alone and as a team: plans, agents and pipelines are those of the house, played without Kafka.

An agent that dies fails its attempt, and another one is tried, as in the house.
"""

import random
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from msgspec import Struct

from agents.errors import AgentFailed
from agents.pipeline import Effects, Result, Timer, Work
from agents.team.advance import Start, advance, by_step
from agents.team.planner import House, plan
from agents.team.shape import load as load_shapes
from agents.team.standing import Brief, Standing, heard
from bench.agents.family_job import Family, Job, files_of, solved
from bench.agents.team import NoEffects
from events.agent import AgentSpec
from events.ids import derived_id
from events.ids import task_id as task_id_of
from events.plan import SUPERVISOR
from events.task import AttemptEnded, FileRef, TaskEnded


class Runs(Protocol):
    """What does a task: a pipeline, or one that dies now and then."""

    async def run(self, work: Work, effects: Effects, timer: Timer, /) -> Result:
        """Do it; raises AgentFailed."""
        ...


Member = tuple[AgentSpec, Runs]


class Played(Struct, frozen=True):
    """What became of a job."""

    family: Family
    solved: bool
    parts: int
    tries: int
    seconds: float


async def alone(job: Job, member: Member) -> bool:
    """Have one agent do the whole task."""
    try:
        return solved(job, await did(member, job.text, _given(job), files_of(job), "alone"))
    except AgentFailed:
        return False


def _given(job: Job) -> dict[str, Any]:
    """Return what one agent alone is given: all but a plan, which it could do nothing with."""
    return {name: value for name, value in job.input.items() if name != "plan"} | (
        {"items": job.input["texts"]} if "texts" in job.input else {}
    )


async def together(job: Job, agents: Mapping[str, Sequence[Member]]) -> Played:
    """Split the task as the house does, do the parts, and merge; an attempt that fails is made by the next agent."""
    began = time.perf_counter()
    work = Work("bench", "job", 1, "supervisor", "team", job.text, job.input, _later(), files=files_of(job))
    made = await plan(work, load_shapes(), House(frozenset(agents)), None)
    brief = Brief("bench", "job", 1, "supervisor", "default", 5, job.text, job.input, files_of(job), _later())
    moved = advance(Standing(brief, made.plan, made.made_by, made.why, 1, "job", datetime.now(UTC)), {})
    outputs: dict[str, Any] = {}
    waiting, tries = list(moved.starts), 0
    while waiting:
        start = waiting.pop(0)
        part, output, took = await _part(start, agents[start.fact.kind])
        tries += took
        standing = moved.standing
        for fact in _told(part, output, took):
            standing = heard(standing, part, fact)
        outputs |= {} if output is None else {part: output}
        moved = advance(standing, outputs)
        waiting += moved.starts
    good = moved.standing.outcome == "completed" and solved(job, by_step(moved.standing, outputs))
    parts = sum(len(some) for some in moved.standing.parts.values())
    return Played(job.family, good, parts, tries, time.perf_counter() - began)


async def _part(start: Start, members: Sequence[Member]) -> tuple[str, Any, int]:
    """Do one part, by one agent after the other until one does it; return its task, its output and how many were tried."""
    part = task_id_of("bench", SUPERVISOR, derived_id(*start.fact.slot()))
    for tries, member in enumerate(members, 1):
        try:
            return part, await did(member, start.text, start.input, start.files, part), tries
        except AgentFailed:
            continue
    return part, None, len(members)


def _told(part: str, output: Any, attempts: int) -> tuple[AttemptEnded, TaskEnded]:
    """Return what is told of a part."""
    of: dict[str, Any] = {"tenant": "bench", "task_id": part, "scope": "default"}
    outcome: Any = "failed" if output is None else "completed"
    told = AttemptEnded(
        **of, attempt=attempts, agent="a", outcome=outcome, worker="bench", epoch=1, duration_us=1, steps=(), output=output
    )
    return told, TaskEnded(**of, outcome=outcome, attempts=attempts, agent="a")


async def did(member: Member, text: str, given: dict[str, Any], files: Sequence[FileRef], task: str) -> Any:
    """Return what an agent makes of this; raises AgentFailed."""
    spec, pipeline = member
    work = Work("bench", task, 1, spec.id, spec.skills[0], text, given, _later(), spec=spec, files=tuple(files))
    return (await pipeline.run(work, NoEffects(), time.perf_counter)).output


def _later() -> datetime:
    return datetime.now(UTC) + timedelta(minutes=2)


class Dying:
    """An agent that does its work, but fails in a share of its attempts."""

    def __init__(self, pipeline: Runs, share: float, rng: random.Random) -> None:
        self._pipeline, self._share, self._rng = pipeline, share, rng

    async def run(self, work: Work, effects: Effects, timer: Timer, /) -> Result:
        """Fail, or work."""
        if self._rng.random() < self._share:
            raise AgentFailed("died", "it died in the middle")
        return await self._pipeline.run(work, effects, timer)
