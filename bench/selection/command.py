"""`smolit bench selection`: how well each policy picks agents, on recorded outcomes, through the code that serves."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from bench.make_sample import SAMPLE_SET
from bench.selection.asking import asked, require_file, write
from bench.selection.course import Course, Pass, replay
from bench.selection.figure import figures, limits
from bench.selection.learner import Entry, ours
from bench.selection.peer import installed
from bench.selection.report import Report, bound_rows, rows_of
from bench.selection.routing import POOLS, Routing, RoutingInvalid, apart, held_out, open_set, told_domains
from bench.selection.table import COLUMNS, cost_lines, drift_lines, lines
from learning.encoders import Kind, open_encoder
from learning.encoding import TextEncoder
from smolit.cli import out
from smolit.settings import load_settings

Mapper = Callable[[Iterable[Course], Iterable[Entry], Iterable[int]], Iterable[Pass]]
SAMPLE = Path(__file__).parent.parent / "data"

Data = Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder of the set; else the sample that is shipped.")]
Set = Annotated[str, typer.Option("--set", metavar="NAME", help="Set to replay: the first part of its files' names.")]
Agents = Annotated[str, typer.Option("--agents", metavar="A,B,C", help="Agents to choose among (or mid9, frontier10); else all.")]
Test = Annotated[Path | None, typer.Option("--test", metavar="DIR", help="Folder of the test rows, in a set of the same name.")]
HoldOut = Annotated[float, typer.Option(min=0.0, max=0.9, help="Share of the texts held out where there is no --test.")]
Policies = Annotated[list[str] | None, typer.Option("--policy", metavar="NAME[:JSON]", help="Policy to measure; else every one.")]
Peers = Annotated[bool, typer.Option("--peers/--no-peers", help="Measure other people's learners, too.")]
Seeds = Annotated[int, typer.Option(min=1, max=1000, help="Orders of the stream, each with names of its own for the agents.")]
Calibrate = Annotated[int, typer.Option(min=0, help="First tasks that are given to all agents.")]
Delay = Annotated[int, typer.Option(min=0, help="Tasks that are chosen for before the outcome of one is known.")]
Drift = Annotated[bool, typer.Option("--drift", help="Let the best agent fail from half-way.")]
Domain = Annotated[bool, typer.Option("--domain", help="Tell policies each text's domain.")]
Costs = Annotated[float, typer.Option(metavar="W", min=0.0, max=0.99, help="Weight of cost in the reward.")]
Features = Annotated[
    Literal["recorded", "live", "static", "minilm", "hashed"],
    typer.Option(help="Vectors: the set's own, or made now by the encoder that serves (live) or another."),
]
Jobs = Annotated[int, typer.Option(min=1, max=256, help="Replays at a time.")]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write every figure as JSON.")]


@asked
def selection(
    data: Data = SAMPLE,
    name: Set = SAMPLE_SET,
    agents: Agents = "",
    test: Test = None,
    hold_out: HoldOut = 0.3,
    policy: Policies = None,
    peers: Peers = True,
    seeds: Seeds = 20,
    calibrate: Calibrate = 0,
    delay: Delay = 0,
    drift: Drift = False,
    domain: Domain = False,
    costs: Costs = 0.0,
    features: Features = "live",
    jobs: Jobs = 1,
    json: Json = None,
) -> None:
    """Replay recorded outcomes through every policy, showing each only the scores it earned, and compare what they earn."""
    require_file(json)
    entries, missing = _entries(policy or [], peers)
    stream, test_rows, vectors = _parts(data, name, named(agents), test, hold_out, opened_with(features))
    _require_enough(stream, name, calibrate)
    if domain:
        known = sorted(set(stream.domains))
        stream, test_rows = told_domains(stream, known), told_domains(test_rows, known)
    course = Course(stream, test_rows, delay=delay, calibrate=calibrate, drift=drift, costs=costs)
    passes = measure(course, entries, seeds, jobs)
    told = {"set": name, "vectors": vectors, "domain_told": domain, **_about(course, seeds)}
    report = Report(told, bound_rows(course), rows_of(passes, entries[0].label), tuple(missing))
    write(json, {**figures(report, limits(course, seeds)), **msgspec.structs.asdict(report)})
    _show(report, course)


def measure(course: Course, entries: Sequence[Entry], seeds: int, jobs: int) -> dict[str, list[Pass]]:
    """Return every learner's passes, in the order of the seeds."""
    wanted = [(entry, seed) for seed in range(seeds) for entry in entries]
    found: dict[str, list[Pass]] = {entry.label: [] for entry in entries}
    with out.progress(len(wanted)) as shown, _mapper(jobs) as run:
        ticking = shown.add_task("replaying", total=len(wanted))
        passes = run([course] * len(wanted), [entry for entry, _ in wanted], [seed for _, seed in wanted])
        for (entry, _), one in zip(wanted, passes, strict=True):
            found[entry.label].append(one)
            shown.advance(ticking)
    return found


@contextmanager
def _mapper(jobs: int) -> Iterator[Mapper]:
    """Provide what replays many: this process, or several."""
    if jobs == 1:
        yield partial(map, replay)
    else:
        with ProcessPoolExecutor(jobs) as workers:
            yield partial(workers.map, replay)


def _entries(asked: Sequence[str], peers: bool) -> tuple[list[Entry], list[str]]:
    """Return what is measured, and what is left out because it is not installed."""
    here, missing = installed() if peers else ([], [])
    for peer in missing:
        out.say(f"{peer.label} is not installed, so it is left out; `make install-bench` installs it")
    return [*ours(asked), *(Entry(peer.label, peer.label) for peer in here)], [peer.label for peer in missing]


def named(agents: str) -> tuple[str, ...]:
    """Return the agents that were named, by their names or by that of a pool."""
    return POOLS.get(agents) or tuple(one.strip() for one in agents.split(",") if one.strip())


def opened_with(features: Literal["recorded", "live"] | Kind) -> TextEncoder | None:
    """Return what makes the vectors; None where they are recorded."""
    if features == "recorded":
        return None
    settings = load_settings()
    return open_encoder(settings.encoder if features == "live" else features, settings.cache / "encoder")


def _parts(
    data: Path, name: str, agents: Sequence[str], test: Path | None, hold_out: float, encoder: TextEncoder | None
) -> tuple[Routing, Routing, str]:
    """Return stream, test, and what the vectors are."""
    stream, vectors = open_set(data, name, agents, encoder)
    if test is None:
        stream, rows = held_out(stream, hold_out)
    else:
        rows = apart(stream, open_set(test, name, stream.agents, encoder)[0])
        if not rows.keys:
            raise RoutingInvalid(f"the set {name} in {test} holds no text that the stream does not hold, too")
    return stream, rows, vectors


def _require_enough(stream: Routing, name: str, calibrate: int) -> None:
    """Refuse a stream of which nothing can be learned, and one that is shorter than its calibration."""
    if len(stream.keys) < 2:
        raise RoutingInvalid(f"the set {name} leaves {len(stream.keys)} texts to learn on")
    if calibrate > len(stream.keys):
        raise RoutingInvalid(f"--calibrate {calibrate} is more than the {len(stream.keys)} texts that there are to learn on")


def _about(course: Course, seeds: int) -> dict[str, object]:
    rewards = course.rewards(course.stream)
    best, clever = int(rewards.mean(axis=0).argmax()), int(course.stream.scores.mean(axis=0).argmax())
    return {
        "tasks": len(course.stream.keys),
        "test_tasks": len(course.test.keys),
        "agents": course.stream.agents,
        "best_agent": course.stream.agents[best],
        "best_score_agent": course.stream.agents[clever],
        "best_score": float(course.stream.scores[:, clever].mean()),
        "best_score_cost": float(course.stream.costs[:, clever].mean()),
        "seeds": seeds,
        "delay": course.delay,
        "calibrate": course.calibrate,
        "extra_calls": course.calibrate * (len(course.stream.agents) - 1),
        "extra_cost": course.calibrate * (len(course.stream.agents) - 1) * float(course.stream.costs.mean()),
        "drift": course.drift,
        "costs": course.costs,
    }


def _show(report: Report, course: Course) -> None:
    """Write the tables that were asked for."""
    about = report.about
    out.line(
        f"{about['set']}: {about['tasks']} tasks and {about['test_tasks']} to test on, {len(course.stream.agents)} agents, "
        f"{about['seeds']} orders, vectors {about['vectors']}; differences in thousandths, +- half a 95 % interval"
    )
    if course.calibrate:
        extra = f"{about['extra_calls']} extra calls, about {about['extra_cost']:.3g} dollars"
        out.line(f"the first {course.calibrate} tasks go to all agents: {extra}")
    out.table(COLUMNS, lines(report))
    if course.drift:
        out.table(("learner", "500 before", "500 after", "last 500"), drift_lines(report))
    if course.costs:
        out.table(("learner", "score", f"of {about['best_score_agent']}'s", "cost, of its"), cost_lines(report))
