"""A fixed set of tasks that no single agent can do: what each makes of them alone, what the team does, and what that takes.

A customer's letter asks what an order comes to, in three steps, and says what they think of the last one; an answer is right
where sum and tone both are. Plans, agents and pipelines are those of the house, played here without Kafka, part after part.
"""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from msgspec import Struct

from agents.catalog import build
from agents.errors import AgentFailed
from agents.pipeline import Effects, Pipeline, Result, Toolbox, Work
from agents.port import NO_BLOBS, Blobs
from agents.spec import load
from agents.team.advance import Start, advance, by_step
from agents.team.planner import House, plan
from agents.team.report import merged
from agents.team.shape import load as load_shapes
from agents.team.standing import Brief, Standing, heard
from agents.vectors import Encoders
from bench.agents.figure import Figure
from bench.spread import bootstrapped, mean
from events.agent import AgentSpec
from events.ids import derived_id
from events.ids import task_id as task_id_of
from events.plan import SUPERVISOR
from events.task import AttemptEnded, TaskEnded
from learning.outcomes import Outcomes
from smolit.settings import PROJECT, load_settings

TASKS = 60
_DATA = "letters about orders, made by seed; tones by hand"
REVIEWS = (
    ("I love this shop, everything arrived early and works perfectly.", "positive"),
    ("Great quality and very friendly support, thank you!", "positive"),
    ("The best purchase I made this year, I am delighted.", "positive"),
    ("Super fast delivery, I am really happy with it.", "positive"),
    ("Wonderful service, and the product is excellent.", "positive"),
    ("It came in time, fits well, and looks beautiful.", "positive"),
    ("No complaints at all, it does what it should.", "positive"),
    ("I would order here again any day.", "positive"),
    ("Terrible. The box was broken and nobody answered my mails.", "negative"),
    ("I hate the new packaging, and the handle fell off at once.", "negative"),
    ("A complete waste of money, very disappointing.", "negative"),
    ("The worst support I have ever met, rude and slow.", "negative"),
    ("It stopped working after two days and I am angry.", "negative"),
    ("Awful quality, the seams are bad and it smells horrible.", "negative"),
    ("I waited three weeks and then got the wrong size.", "negative"),
    ("Could have been good, had it arrived in one piece.", "negative"),
)


class Letter(Struct, frozen=True):
    """One task: what is asked, what came with it, and what is right."""

    text: str
    input: dict[str, Any]
    total: str
    tone: str


class Played(Struct, frozen=True):
    """What became of a letter: whether sum and tone are right, parts, failed parts, and seconds."""

    solved: bool
    parts: int
    failed: int
    seconds: float


class NoEffects:
    """Lets nothing happen outside."""

    async def once(self, *_: object) -> Any:
        """Refuse."""
        raise AgentFailed("no_effects", "the bench calls nobody")


def letters(seed: int, count: int = TASKS) -> list[Letter]:
    """Return the tasks of a seed."""
    rng = random.Random(seed)
    return [_letter(rng) for _ in range(count)]


def _letter(rng: random.Random) -> Letter:
    (a, b), (c, d) = ((rng.randint(2, 40), rng.randint(3, 99)) for _ in range(2))
    review, tone = rng.choice(REVIEWS)
    sums = [f"{a} * {b}", f"{c} * {d}"]
    text = f"I ordered {a} lamps at {b} and {c} chairs at {d}. What do both come to together? About my last order: {review}"
    return Letter(text, {"review": review, "sums": sums}, str(a * b + c * d), tone)


def solved(letter: Letter, output: Any) -> bool:
    """Say whether an answer holds the right sum and the right tone, wherever in it they stand."""
    values = list(_leaves(output))
    return letter.total in values and letter.tone in values


def _leaves(value: Any) -> Sequence[str]:
    if isinstance(value, Mapping):
        return [leaf for one in value.values() for leaf in _leaves(one)]
    return [leaf for one in value for leaf in _leaves(one)] if isinstance(value, list | tuple) else [str(value)]


async def alone(letter: Letter, spec: AgentSpec, pipeline: Pipeline) -> bool:
    """Have one agent do the whole task."""
    try:
        result = await _run(pipeline, spec, letter.text, letter.input, "alone")
    except AgentFailed:
        return False
    return solved(letter, result.output)


async def together(letter: Letter, agents: Mapping[str, tuple[AgentSpec, Pipeline]]) -> Played:
    """Split the task as the house does, do the parts, and merge."""
    began = time.perf_counter()
    work = Work("default", "letter", 1, "supervisor", "team", letter.text, letter.input, _later())
    planned = await plan(work, load_shapes(), House(frozenset(agents)), None)
    brief = Brief("default", "letter", 1, "supervisor", "default", 5, letter.text, letter.input, (), _later())
    standing = Standing(brief, planned.plan, planned.made_by, planned.why, 1, "letter", datetime.now(UTC))
    outputs: dict[str, Any] = {}
    moved = advance(standing, outputs)
    waiting = list(moved.starts)
    while waiting:
        start = waiting.pop(0)
        part, facts, output = await _part(start, *agents[start.fact.kind])
        standing = moved.standing
        for fact in facts:
            standing = heard(standing, part, fact)
        outputs |= {} if output is None else {part: output}
        moved = advance(standing, outputs)
        waiting += moved.starts
    done = merged(moved.standing, outputs)
    parts = [part for some in moved.standing.parts.values() for part in some]
    failed = sum(part.outcome != "completed" for part in parts)
    answers = by_step(moved.standing, outputs)
    right = done["outcome"] == "completed" and solved(letter, answers)
    return Played(right, len(parts), failed, time.perf_counter() - began)


async def _part(start: Start, spec: AgentSpec, pipeline: Pipeline) -> tuple[str, list[AttemptEnded | TaskEnded], Any]:
    """Do one part; return its task, what is told of it, and its output."""
    part = task_id_of("default", SUPERVISOR, derived_id(*start.fact.slot()))
    told: dict[str, Any] = {"tenant": "default", "task_id": part, "scope": "default"}
    began = time.perf_counter()
    try:
        output, good = (await _run(pipeline, spec, start.text, start.input, part)).output, True
    except AgentFailed:
        output, good = None, False
    took_us = round((time.perf_counter() - began) * 1e6)
    outcome: Any = "completed" if good else "failed"
    ended = AttemptEnded(
        **told, attempt=1, agent=spec.id, outcome=outcome, worker="bench", epoch=1, duration_us=took_us, steps=(), output=output
    )
    return part, [ended, TaskEnded(**told, outcome=outcome, attempts=1, agent=spec.id)], output


async def _run(pipeline: Pipeline, spec: AgentSpec, text: str, given: dict[str, Any], task: str) -> Result:
    work = Work("default", task, 1, spec.id, spec.skills[0], text, given, _later(), spec=spec)
    effects: Effects = NoEffects()
    return await pipeline.run(work, effects, time.perf_counter)


def _later() -> datetime:
    return datetime.now(UTC) + timedelta(minutes=1)


def crew(kinds: Sequence[str], blobs: Blobs = NO_BLOBS) -> dict[str, tuple[AgentSpec, Pipeline]]:
    """Return the house's agent for each skill, ready to work; the first by name where several have it."""
    http, encoders = httpx.AsyncClient(trust_env=False), Encoders(load_settings().cache / "encoder")
    recorded = lambda path: Outcomes.load(path.parent, path.name)  # noqa: E731
    toolbox = Toolbox(PROJECT, frozenset(), http, recorded, encoders=encoders, blobs=blobs)
    specs = sorted(load(PROJECT / "agents" / "specs"), key=lambda spec: spec.id)
    found = {kind: next(spec for spec in specs if kind in spec.skills) for kind in kinds}
    return {kind: (spec, build(spec, toolbox)) for kind, spec in found.items()}


async def measured(seed: int) -> tuple[dict[str, list[bool]], list[Played]]:
    """Return what each agent solved alone, and what became of each letter in the team."""
    agents, tasks = crew(("arithmetic", "sentiment")), letters(seed)
    single = {spec.id: [await alone(letter, spec, pipeline) for letter in tasks] for spec, pipeline in agents.values()}
    return single, [await together(letter, agents) for letter in tasks]


def measure(seed: int) -> list[Figure]:
    """Return the team's share beside the best single agent's, and what a task takes."""
    single, team = asyncio.run(measured(seed))
    best = max(single, key=lambda agent: sum(single[agent]))
    share = bootstrapped([float(one.solved) for one in team], mean, seed)
    beside = bootstrapped([float(one) for one in single[best]], mean, seed)
    parts = bootstrapped([float(one.parts) for one in team], mean, seed)
    took = bootstrapped([one.seconds * 1000 for one in team], mean, seed)
    return [
        Figure("team", "solved", "share", "higher", share, _DATA, len(team), f"best single agent ({best})", beside),
        Figure("team", "parts of a task", "tasks", "lower", parts, _DATA, len(team)),
        Figure("team", "time of a task, without Kafka", "ms", "lower", took, _DATA, len(team)),
    ]


def main() -> None:
    """Print the figures."""
    for one in measure(1):
        beside = f"; {one.baseline}: {one.baseline_value.told}" if one.baseline_value else ""
        print(f"{one.metric} ({one.unit}, n = {one.n}): {one.value.told}{beside}")


if __name__ == "__main__":
    main()
