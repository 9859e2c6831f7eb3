"""More families of tasks that no single agent can do, and what becomes of them when agents die or answer wrong.

- `check`: an invoice against its order, whose one difference has to be named, however each writes its dates and sums.
- `reviews`: the tone of each of four reviews, all right, and a summary of all.
- `stock`: what the units of one region are worth: summed up in a table, then multiplied.

Plans, agents and pipelines are those of the house, played without Kafka. An agent that dies fails its attempt, and another one is
tried, as in the house; of agents that answer wrong three are asked, and the rules settle (`agents/team/conflict.py`).
"""

import asyncio
import hashlib
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol

from msgspec import Struct

from agents.errors import AgentFailed
from agents.pipeline import Effects, Result, Timer, Work
from agents.team.advance import Start, advance, by_step
from agents.team.conflict import answer_of, settle
from agents.team.planner import House, plan
from agents.team.shape import load as load_shapes
from agents.team.standing import Brief, Standing, heard
from bench.agents.figure import Figure
from bench.agents.team import REVIEWS, NoEffects, crew
from bench.spread import bootstrapped, mean
from events.agent import AgentSpec
from events.ids import derived_id
from events.ids import task_id as task_id_of
from events.plan import SUPERVISOR
from events.task import AttemptEnded, FileRef, TaskEnded

TASKS = 40  # of each family
_DIES, _TRIES = 0.3, 3
KINDS = ("arithmetic", "sentiment", "summary", "entities", "compare", "table")
_NAMES = ("Anna Berg", "Maria Lindqvist", "Peter Novak", "Thomas Weber", "Julia Rossi", "David Miller")
_REGIONS = ("north", "south", "east", "west")
_MONTHS = ("January", "March", "May", "July", "October")

Family = Literal["check", "reviews", "stock"]


class Runs(Protocol):
    """What does a task: a pipeline, or one that dies now and then."""

    async def run(self, work: Work, effects: Effects, timer: Timer, /) -> Result:
        """Do it; raises AgentFailed."""
        ...


Member = tuple[AgentSpec, Runs]


class Job(Struct, frozen=True):
    """One task: what is asked and came along, and what an answer has to hold: `wanted` values, or the one difference."""

    family: Family
    text: str
    input: dict[str, Any]
    wanted: tuple[str, ...]
    table: bytes | None = None


class Played(Struct, frozen=True):
    """What became of a job."""

    family: Family
    solved: bool
    parts: int
    tries: int
    seconds: float


class Shelf:
    """Holds the tables of jobs."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._held = {hashlib.sha256(job.table).hexdigest(): job.table for job in jobs if job.table is not None}

    async def get(self, sha256: str) -> bytes:
        """Return one."""
        return self._held[sha256]

    async def put(self, content: bytes) -> str:
        """Refuse."""
        raise AgentFailed("nowhere_to_store", f"{len(content)} bytes")


def jobs(seed: int, count: int = TASKS) -> list[Job]:
    """Return the tasks of a seed, family by family."""
    rng = random.Random(seed)
    return [make(rng) for make in (_check, _reviews, _stock) for _ in range(count)]


def _check(rng: random.Random) -> Job:
    """Return an invoice and its order, each with its own way to write, of which one thing differs."""
    day, month, year = rng.randint(1, 28), rng.choice(_MONTHS), rng.randint(2023, 2026)
    sums, number, name = rng.randint(1_001, 99_999) / 100 + 20, rng.randint(1_000, 9_999), rng.choice(_NAMES)
    other = rng.choice(("money", "date", "invoice_number"))
    later = day + 1 if other == "date" else day
    more = round(sums + rng.randint(1, 900) / 100, 2) if other == "money" else sums
    changed = number + 1 if other == "invoice_number" else number
    order = f"Invoice no. {number}. {name} ordered on {day} {month} {year}. Total: EUR {sums:,.2f}."
    at = datetime.strptime(f"{later} {month} {year}", "%d %B %Y").date()
    bill = f"Invoice no. {changed}. Ordered by {name} on {at.isoformat()}. To be paid: {more:.2f} EUR."
    text = f"Compare these. Order: {order} Invoice: {bill}"
    return Job("check", text, {"texts": [order, bill]}, (other.replace("_", " "),))


def _reviews(rng: random.Random) -> Job:
    some = rng.sample(REVIEWS, 4)
    text = "What is the tone of each of these? " + " ".join(review for review, _ in some)
    return Job("reviews", text, {"reviews": [review for review, _ in some]}, tuple(tone for _, tone in some))


def _stock(rng: random.Random) -> Job:
    rows = [(rng.choice(_REGIONS), rng.randint(1, 90)) for _ in range(30)] + [(region, 5) for region in _REGIONS]
    region, price = rng.choice(_REGIONS), rng.randint(3, 40)
    total = sum(units for where, units in rows if where == region)
    table = "region,units\n" + "".join(f"{where},{units}\n" for where, units in rows)
    steps = [
        {
            "id": "total",
            "kind": "table",
            "text": f"What is the total units where region is {region}?",
            "files": ["${task.files[0]}"],
            "needed": True,
        },
        {"id": "worth", "kind": "arithmetic", "text": f"What is ${{total.output.rows[0][0]}} * {price}?", "needed": True},
    ]
    text = f"What are all units of the region {region} worth at {price} each?"
    return Job("stock", text, {"plan": {"name": "stock", "steps": steps}}, (str(total * price),), table.encode())


def solved(job: Job, output: Any) -> bool:
    """Say whether an answer holds what is wanted."""
    if job.family == "check":
        return _difference(output) == (list(job.wanted), 0)
    if job.family == "reviews":
        tones = [one.get("label") for one in output.values()] if _by_step(output) else []
        return tuple(tones[: len(job.wanted)]) == job.wanted
    return set(job.wanted) <= set(_leaves(output))


def _by_step(output: Any) -> bool:
    return isinstance(output, Mapping) and all(isinstance(one, Mapping) for one in output.values())


def _difference(output: Any) -> tuple[list[str], int] | None:
    """Return the kinds of things that an answer says differ, and how much it says that only one has; None: it says neither."""
    for one in output.values() if _by_step(output) else [output]:
        if isinstance(one, Mapping) and one.get("pairs"):
            (pair,) = one["pairs"]
            kinds = [said.split(" '")[0] for said in pair["different"]]
            return kinds, len(pair["missing"]) + len(pair["added"])
    return None


def _leaves(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [leaf for one in value.values() for leaf in _leaves(one)]
    return [leaf for one in value for leaf in _leaves(one)] if isinstance(value, list | tuple) else [str(value)]


async def alone(job: Job, member: Member) -> bool:
    """Have one agent do the whole task."""
    try:
        return solved(job, await _did(member, job.text, _given(job), _files(job), "alone"))
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
    work = Work("bench", "job", 1, "supervisor", "team", job.text, job.input, _later(), files=_files(job))
    made = await plan(work, load_shapes(), House(frozenset(agents)), None)
    brief = Brief("bench", "job", 1, "supervisor", "default", 5, job.text, job.input, _files(job), _later())
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
            return part, await _did(member, start.text, start.input, start.files, part), tries
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


async def _did(member: Member, text: str, given: dict[str, Any], files: Sequence[FileRef], task: str) -> Any:
    spec, pipeline = member
    work = Work("bench", task, 1, spec.id, spec.skills[0], text, given, _later(), spec=spec, files=tuple(files))
    return (await pipeline.run(work, NoEffects(), time.perf_counter)).output


def _files(job: Job) -> tuple[FileRef, ...]:
    if job.table is None:
        return ()
    return (FileRef("stock.csv", "text/csv", hashlib.sha256(job.table).hexdigest(), len(job.table)),)


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


class Asked(Struct, frozen=True):
    """One question that three agents answered: whether the first, the majority and the settled answer were right."""

    first: bool
    majority: bool
    settled: bool
    conflict: bool


async def settled(seed: int, sums: Member, count: int = 300) -> list[Asked]:
    """Ask the real agent for sums and two that are often wrong, in random order, and settle.

    What is expected of each is its share of right answers on as many other questions; both wrong ones say the same wrong thing.
    """
    wrong = {"sound": 0.03, "careless": 0.4, "worse": 0.55}
    before = [await _answers(random.Random(f"{seed} before {at}"), sums, wrong) for at in range(count)]
    expected = {name: mean([float(said[name] == right) for said, right in before]) for name in wrong}
    return [await _asked(random.Random(f"{seed} {at}"), sums, wrong, expected) for at in range(count)]


async def _answers(rng: random.Random, sums: Member, wrong: Mapping[str, float]) -> tuple[dict[str, str], str]:
    """Return what each says, and what is right."""
    a, b = rng.randint(2, 99), rng.randint(2, 99)
    value = str((await _did(sums, f"What is {a} * {b}?", {}, (), "sum"))["value"])
    other = str(int(value) + max(1, int(value) // 10))
    return {name: other if rng.random() < share else value for name, share in wrong.items()}, str(a * b)


async def _asked(rng: random.Random, sums: Member, wrong: Mapping[str, float], expected: Mapping[str, float]) -> Asked:
    said, right = await _answers(rng, sums, wrong)
    order = rng.sample(sorted(said), len(said))
    told = settle([answer_of(name, name, {"value": said[name]}, expected[name]) for name in order])
    most = Counter(said[name] for name in order).most_common(1)[0][0]
    chosen = said[order[told.chosen if told.chosen is not None else 0]]
    return Asked(said[order[0]] == right, most == right, chosen == right, bool(told.conflicts))


async def measured(seed: int, count: int = TASKS) -> tuple[dict[str, list[bool]], list[Played], list[Played], list[Job]]:
    """Return what each agent solved alone, what the team did, and what it did where agents die."""
    tasks = jobs(seed, count)
    agents: dict[str, Member] = dict(crew(KINDS, Shelf(tasks)))
    single = {spec.id: [await alone(job, (spec, pipeline)) for job in tasks] for spec, pipeline in agents.values()}
    rng = random.Random(seed)
    sound = {kind: [member] for kind, member in agents.items()}
    dying = {kind: [(spec, Dying(made, _DIES, rng)) for _ in range(_TRIES)] for kind, (spec, made) in agents.items()}
    return single, [await together(job, sound) for job in tasks], [await together(job, dying) for job in tasks], tasks


def measure(seed: int) -> list[Figure]:
    """Return the team's share beside the best single agent's, by family; with agents that die, and with ones that are wrong."""
    single, team, dying, tasks = asyncio.run(measured(seed))
    figures = []
    for family in dict.fromkeys(job.family for job in tasks):
        places = [at for at, job in enumerate(tasks) if job.family == family]
        hits = {agent: [float(found[at]) for at in places] for agent, found in single.items()}
        best = max(sorted(hits), key=lambda agent: sum(hits[agent]))
        ours, theirs = [float(team[at].solved) for at in places], hits[best]
        data = f"{len(places)} tasks of the family {family}, made by seed"
        share, beside = bootstrapped(ours, mean, seed), bootstrapped(theirs, mean, seed)
        figures.append(Figure("families", "solved", "share", "higher", share, data, len(places), f"best alone ({best})", beside))
        died = bootstrapped([float(dying[at].solved) for at in places], mean, seed)
        tries = bootstrapped([dying[at].tries / dying[at].parts for at in places], mean, seed)
        name = f"solved where {_DIES:.0%} of attempts die, {_TRIES} a part"
        figures.append(Figure("families", name, "share", "higher", died, data, len(places), "nobody dies", share))
        figures.append(Figure("families", "attempts of a part then", "tasks", "lower", tries, data, len(places)))
    return [*figures, *_settling(seed)]


def _settling(seed: int) -> list[Figure]:
    """Return how often the settled answer is right beside the first and the majority's, where they contradict each other."""
    asked = [one for one in asyncio.run(settled(seed, crew(("arithmetic",))["arithmetic"])) if one.conflict]
    ours = [float(one.settled) for one in asked]
    figures = []
    for name, others in (("first answer", [one.first for one in asked]), ("majority", [one.majority for one in asked])):
        theirs = [float(one) for one in others]
        share, beside = bootstrapped(ours, mean, seed), bootstrapped(theirs, mean, seed)
        ahead = bootstrapped([one - other for one, other in zip(ours, theirs, strict=True)], mean, seed)
        data = "sums, one sound agent and two that are often wrong by a tenth"
        figures.append(Figure("families", "settled right", "share", "higher", share, data, len(asked), name, beside, ahead=ahead))
    return figures


def main() -> None:
    """Print the figures."""
    for one in measure(1):
        beside = f"; {one.baseline}: {one.baseline_value.told}" if one.baseline_value else ""
        ahead = f"; paired {one.ahead.told}" if one.ahead else ""
        print(f"{one.metric} ({one.data}, n = {one.n}): {one.value.told}{beside}{ahead}")


if __name__ == "__main__":
    main()
