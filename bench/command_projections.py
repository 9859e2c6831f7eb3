"""`smolit bench projections`: how fast read models are folded and made anew, against raw COPY of the very same rows."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import psutil
import typer
from msgspec import Struct

from bench.calibration import loop_s
from bench.copying import copy_in, count, rows_of
from bench.cpu import server_of, used_s
from bench.file import require_folder, write
from bench.ground import TENANTS, Ground, Kafka, Postgres, ground
from bench.spread import Range, middle
from bench.story import FACTS, Stories
from bus.producer import Publisher
from events.wire import encode
from learning.outcomes import Outcomes
from projections.rebuild import Wanted, Where, rebuild
from projections.runner import Projector
from smolit.cli import out
from smolit.errors import CheckFailed
from smolit.settings import PROJECT
from store.generation import positions, serving
from store.postgres import Connection, connect

_PUBLISHED = 1_000  # records at a time
_LOOK_S = 0.02
_PATIENCE_S = 600.0


class Cost(Struct, frozen=True):
    """Events a second, and processor microseconds an event of this process and of Postgres, if that runs here."""

    rate: float
    cpu_us: float


class Round(Struct, frozen=True):
    """One round: events folded, made anew and copied as rows. `rebuilt` is the rate of filling alone; its processor time
    and `whole_s` include comparing and switching. `equal`: both generations are the same."""

    applied: Cost
    rebuilt: Cost
    copied: Cost
    whole_s: float
    rows: int
    rows_copied: int
    equal: bool
    loop_s: float


class Figures(Struct, frozen=True):
    """What `--json` writes: events a second with 95 % intervals over the rounds, and ratios to raw COPY of the same round.

    The ratios of processor time say what the ratios of speed are on a machine that nobody else uses.
    """

    events: int
    applied: Range
    rebuilt: Range
    copied: Range
    apply_ratio: Range
    rebuild_ratio: Range
    apply_cpu_ratio: Range
    loop_s: Range
    rounds: tuple[Round, ...]


def projections(
    tasks: Annotated[int, typer.Option("--tasks", min=1, help="Tasks in the history; each has eight facts.")] = 5_000,
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=100, help="Rounds of fold, rebuild and copy.")] = 5,
    json: Annotated[Path | None, typer.Option("--json", help="File to write the figures to, as JSON.")] = None,
    kafka: Kafka = "",
    postgres: Postgres = "",
) -> None:
    """Measure folding and rebuilding read models against raw COPY of the same rows."""
    require_folder(json)
    with ground(kafka, postgres, out.say) as place:
        asyncio.run(publish(place, tasks))
        found = []
        for number in range(rounds):
            with place.database() as url:
                found.append(asyncio.run(_round(place, url, tasks * FACTS)))
            out.say(f"round {number + 1} of {rounds}: {found[-1]}")
    figures = figures_of(tasks * FACTS, found)
    _show(figures)
    write(json, figures)
    if not all(one.equal and one.rows == one.rows_copied for one in found):
        raise CheckFailed("what was rebuilt or copied is not what was folded")


async def publish(place: Ground, tasks: int, first: int = 0) -> None:
    """Put the history of so many tasks into Kafka."""
    stories = Stories(Outcomes.load(PROJECT / "bench" / "data", "mmlupro_mid9"))
    publisher = Publisher(place.kafka, "bench")
    await publisher.start()
    batch = []
    for event in stories.history(first, tasks):
        batch.append(encode(place.names.of(event.fact.event_type.topic), event))
        if len(batch) == _PUBLISHED:
            await publisher.publish(batch)
            batch = []
    await publisher.publish(batch)
    await publisher.stop()


def figures_of(events: int, rounds: list[Round]) -> Figures:
    """Return the figures of some rounds."""
    return Figures(
        events=events,
        applied=middle([one.applied.rate for one in rounds]),
        rebuilt=middle([one.rebuilt.rate for one in rounds]),
        copied=middle([one.copied.rate for one in rounds]),
        apply_ratio=middle([one.applied.rate / one.copied.rate for one in rounds]),
        rebuild_ratio=middle([one.rebuilt.rate / one.copied.rate for one in rounds]),
        apply_cpu_ratio=middle([one.copied.cpu_us / one.applied.cpu_us for one in rounds]),
        loop_s=middle([one.loop_s for one in rounds]),
        rounds=tuple(rounds),
    )


async def _round(place: Ground, url: str, events: int) -> Round:
    """Fold all events, make everything anew beside it, and copy what was folded."""
    connection = await connect(url, "bench")
    try:
        loop, meter = loop_s(), Meter(events, connection)
        applied = meter.cost(await _fold(place, url, connection, events))
        rows = await rows_of(connection, (await serving(connection)).name)
        begun = time.perf_counter()
        meter.begin()
        made = await rebuild(Where(place.kafka, url, place.names, TENANTS), Wanted("--all"), lambda _pace: None)
        rebuilt, whole_s = meter.cost(made.rate), time.perf_counter() - begun
        meter.begin()
        seconds, there = await copy_in(connection, rows)
        copied = meter.cost(events / seconds)
    finally:
        await connection.close()
    equal = bool(made.equal) and made.records == events
    return Round(applied, rebuilt, copied, round(whole_s, 3), count(rows), there, equal, loop)


class Meter:
    """Tells what so many events cost since it was begun."""

    def __init__(self, events: int, connection: Connection) -> None:
        self._events, self._processes = events, [psutil.Process(), *server_of(connection)]
        self.begin()

    def begin(self) -> None:
        """Count from now on."""
        self._before = used_s(self._processes)

    def cost(self, rate: float) -> Cost:
        """Return what the events cost that were dealt with at a rate."""
        used = used_s(self._processes) - self._before
        return Cost(round(rate, 1), round(used / self._events * 1e6, 1))


async def _fold(place: Ground, url: str, connection: Connection, events: int) -> float:
    """Return the events a second at which the projections process folds what lies in Kafka, from its first batch to its last."""
    done = False
    projector = Projector(place.kafka, url, place.names, TENANTS)
    folding = asyncio.create_task(projector.run(lambda: done))
    live, seen = (await serving(connection)).name, list[tuple[int, float]]()
    async with asyncio.timeout(_PATIENCE_S):
        while (not seen or seen[-1][0] < events) and not folding.done():
            there = sum((await positions(connection, live)).values())
            if there and (not seen or there > seen[-1][0]):
                seen.append((there, time.perf_counter()))
            await asyncio.sleep(_LOOK_S)
    done = True
    await folding
    return rate_of(seen)


def rate_of(seen: Sequence[tuple[int, float]]) -> float:
    """Return events a second between the first and the last look (how many, when); 0 if there was but one."""
    (first, begun), (last, ended) = seen[0], seen[-1]
    return (last - first) / (ended - begun) if ended > begun else 0.0


def _show(figures: Figures) -> None:
    """Write the figures for people."""
    lines = [
        ("folded live, events/s", figures.applied), ("made anew, events/s", figures.rebuilt),
        ("raw COPY of the same rows, events/s", figures.copied),
        ("folded / copied", figures.apply_ratio), ("made anew / copied", figures.rebuild_ratio),
        ("folded / copied, by processor time", figures.apply_cpu_ratio), ("a fixed loop of Python, s", figures.loop_s),
    ]  # fmt: skip
    title = f"{figures.events} events, {len(figures.rounds)} rounds"
    out.table(("what", "median (95 % interval)"), [(what, one.told) for what, one in lines], title)
    if not all(one.applied.rate for one in figures.rounds):
        out.say("live folding took one step in a round, which cannot be timed, so its rate says nothing: more --tasks")
