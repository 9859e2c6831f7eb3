"""`smolit bench growth`: does a task cost more when history, agents, partitions or workers grow, and does memory?"""

import asyncio
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec import Struct

from bench import growth as axes
from bench.file import require_folder, write
from bench.ground import Ground, Kafka, Postgres, ground
from bench.growth import Plan, Point, Sample, after_warming
from bench.spread import Range, slope
from smolit.cli import out
from smolit.errors import UsageInvalid

_SUFFIXES = {"k": 1_000, "M": 1_000_000}


class Slope(Struct, frozen=True):
    """How one piece's cost moves along an axis: milliseconds more for ten times the size, and as a share of its mean cost.

    Milliseconds are those of the machine at its usual speed (`at_one_speed`).
    """

    axis: str
    piece: str
    cost_ms: float
    per_tenfold_ms: Range
    share: float


class Soak(Struct, frozen=True):
    """A soak: memory after warming up and at the end, and MiB more for each thousand tasks."""

    tasks: int
    warm_mib: float
    end_mib: float
    per_thousand_mib: Range
    samples: tuple[Sample, ...]


class Figures(Struct, frozen=True):
    """What `--json` writes; slopes with 95 % intervals."""

    points: tuple[Point, ...]
    slopes: tuple[Slope, ...]
    soak: Soak | None


def growth(
    events: Annotated[str, typer.Option("--events", help="Sizes of history, as in 1k,10k,1M; empty: none.")] = "1k,10k",
    agents: Annotated[str, typer.Option("--agents", help="Numbers of agents; empty: none.")] = "8,64,512",
    partitions: Annotated[str, typer.Option("--partitions", help="Numbers of partitions; empty: none.")] = "4,16,64",
    workers: Annotated[str, typer.Option("--workers", help="Numbers of workers; empty: none.")] = "1,2,4",
    processes: Annotated[str, typer.Option("--processes", help="Sizes of history for all processes; empty: none.")] = "",
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Measurements at each size.")] = 5,
    tasks: Annotated[int, typer.Option("--tasks", min=4, help="Tasks of one measurement.")] = 100,
    idle_s: Annotated[float, typer.Option("--idle-s", min=0.1, help="Seconds for which an idle reader is watched.")] = 5.0,
    soak_tasks: Annotated[int, typer.Option("--soak-tasks", min=0, help="Tasks of a soak that watches memory; 0: none.")] = 0,
    json: Annotated[Path | None, typer.Option("--json", help="File to write the figures to, as JSON.")] = None,
    kafka: Kafka = "",
    postgres: Postgres = "",
) -> None:
    """Measure what a task costs as history, agents, partitions and workers grow, and whether memory grows."""
    require_folder(json)
    sizes = Sizes(sizes_of(events), sizes_of(agents), sizes_of(partitions), sizes_of(workers))
    if not (any(msgspec.structs.astuple(sizes)) or sizes_of(processes) or soak_tasks):
        raise UsageInvalid(
            "nothing to measure: give one of --events, --agents, --partitions, --workers, --processes, --soak-tasks"
        )
    plan = Plan(repeats, tasks)
    points = _of_processes(sizes_of(processes), plan)
    with ground(kafka, postgres, out.say) as place:
        points += _measured(place, sizes, plan, idle_s)
        samples = _soaked(place, soak_tasks) if soak_tasks else []
    figures = Figures(tuple(points), tuple(slopes_of(points)), soak_of(samples) if samples else None)
    _show(figures)
    write(json, figures)


class Sizes(Struct, frozen=True):
    """The sizes of each axis."""

    events: tuple[int, ...]
    agents: tuple[int, ...]
    partitions: tuple[int, ...]
    workers: tuple[int, ...]


def sizes_of(told: str) -> tuple[int, ...]:
    """Return sizes as one types them, smallest first; raises UsageInvalid."""
    try:
        return tuple(sorted(_size(one.strip()) for one in told.split(",") if one.strip()))
    except ValueError:
        raise UsageInvalid(f"{told!r} is no list of sizes such as 1k,10k,1M") from None


def slopes_of(points: Sequence[Point]) -> list[Slope]:
    """Return the slope of each piece over the logarithm of its axis."""
    found = []
    for axis, piece in dict.fromkeys((one.axis, one.piece) for one in points):
        mine = [one for one in points if (one.axis, one.piece) == (axis, piece)]
        costs = at_one_speed(mine)
        cost = statistics.fmean(costs)
        steep = slope([(math.log10(one.size), ms) for one, ms in zip(mine, costs, strict=True)])
        found.append(Slope(axis, piece, round(cost, 4), steep, round(steep.value / cost, 4) if cost else 0.0))
    return found


def at_one_speed(points: Sequence[Point]) -> list[float]:
    """Return what each point would have cost at the middle speed of all: a machine that others use is slow at times."""
    middle_s = statistics.median(one.loop_s for one in points)
    return [one.cpu_ms * middle_s / one.loop_s for one in points]


def soak_of(samples: Sequence[Sample]) -> Soak:
    """Return what a soak says of memory."""
    warm = after_warming(samples)
    return Soak(samples[-1].tasks, warm[0][1], samples[-1].rss_mib, slope(warm), tuple(samples))


def _measured(place: Ground, sizes: Sizes, plan: Plan, idle_s: float) -> list[Point]:
    """Return the points of every axis that has sizes."""
    points: list[Point] = []
    if sizes.events:
        with place.database() as url:
            points += asyncio.run(axes.history(url, place, sizes.events, plan, out.say))
    if sizes.agents:
        points += asyncio.run(axes.agents(sizes.agents, plan, out.say))
    if sizes.partitions:
        points += asyncio.run(axes.partitions(place, sizes.partitions, plan, idle_s, out.say))
    if sizes.workers:
        points += axes.workers(place, sizes.workers, plan, out.say)
    return points


def _of_processes(sizes: tuple[int, ...], plan: Plan) -> list[Point]:
    """Return the points of the whole system."""
    if not sizes:
        return []
    from bench.whole import whole  # what it needs is heavy; the command line loads this module first

    return whole(sizes, plan, out.say)


def _soaked(place: Ground, tasks: int) -> list[Sample]:
    with place.database() as url:
        return asyncio.run(axes.soak(url, place, tasks, out.say))


def _size(told: str) -> int:
    """Return one size; raises ValueError."""
    factor = _SUFFIXES.get(told[-1], 1)
    size = int(told[:-1] if factor > 1 else told) * factor
    if size < 1:
        raise ValueError(told)
    return size


def _show(figures: Figures) -> None:
    """Write the figures for people."""
    rows = []
    for axis, piece, size in dict.fromkeys((one.axis, one.piece, one.size) for one in figures.points):
        mine = [one for one in figures.points if (one.axis, one.piece, one.size) == (axis, piece, size)]
        middles = [statistics.median(getattr(one, name) for one in mine) for name in ("cpu_ms", "loop_s", "rss_mib")]
        rows.append((axis, piece, size, *middles, statistics.median(one.cpu_ms / one.loop_s for one in mine)))
    columns = ("axis", "piece", "size", "CPU ms a task", "loop s", "memory MiB", "CPU ms for each second of the loop")
    out.table(columns, rows, "medians")
    slopes = [(one.axis, one.piece, one.cost_ms, one.per_tenfold_ms.told, f"{one.share:+.1%}") for one in figures.slopes]
    out.table(("axis", "piece", "mean ms", "ms more for ten times the size (95 %)", "of the mean"), slopes, "slopes")
    if (soak := figures.soak) is not None:
        told = [(soak.tasks, soak.warm_mib, soak.end_mib, soak.per_thousand_mib.told)]
        out.table(("tasks", "MiB after a fifth", "MiB at the end", "MiB more a thousand tasks (95 %)"), told, "soak")
