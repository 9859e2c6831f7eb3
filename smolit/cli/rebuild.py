"""`smolit projection rebuild` and `drop`: read models made anew beside those that serve, and old ones taken away."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

import msgspec
import typer
from rich.progress import Progress

from projections.catalog import PROJECTIONS
from projections.disposal import discard, drop, droppable
from projections.fill import Pace, Told
from projections.rebuild import Rebuilt, Wanted, Where, rebuild
from projections.witness import Seen, Witness
from smolit.cli import out
from smolit.cli.desk import Desk, now, open_desk, read
from smolit.cli.marks import marks_at
from smolit.cli.option import DryRun, Json
from smolit.errors import CheckFailed, UsageInvalid
from store.generation import generations
from store.postgres import Connection, connect

Name = Annotated[str | None, typer.Argument(metavar="[NAME]", help="The one read model to make anew; the others are taken over.")]
All = Annotated[bool, typer.Option("--all", help="Make every read model anew.")]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="OFFSET|TIME",
        help="Keep the state as of a moment beside: records of each partition, TOPIC/PARTITION=OFFSET,..., or a time.",
    ),
]
NoSwitch = Annotated[bool, typer.Option("--no-switch", help="Fill and compare only; the same words without it switch.")]
Accept = Annotated[bool, typer.Option("--accept-differences", help="Switch although read models differ that nobody changed.")]
Discard = Annotated[bool, typer.Option("--discard", help="Give up the generation that is being built.")]
Doomed = Annotated[str, typer.Argument(metavar="GENERATION", help="The generation to drop, as `projection list` names it.")]

_LINE_EVERY_S = 5.0
_READ_EVERY_S = 0.05
_REFUSALS_SHOWN = 3


def make_anew(
    name: Name = None,
    everything: All = False,
    at: At = None,
    no_switch: NoSwitch = False,
    accept: Accept = False,
    give_up: Discard = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Make read models anew from the log beside those that serve, compare them, and switch."""
    if give_up:
        _give_up(open_desk(), dry_run)
        return
    wanted = wanted_of(name, everything, at, now(), switches=not no_switch, accepts=accept)
    desk = open_desk()
    if dry_run:
        _foretell(desk, wanted)
        return
    with _progress() as told:
        found, seen = asyncio.run(_witnessed(desk, wanted, told))
    if as_json:
        out.json(_as_json(found, seen))
    else:
        _show(found)
    _conclude(found, seen)


def drop_generation(name: Doomed, dry_run: DryRun = False) -> None:
    """Drop the schema of a generation that serves no more."""
    desk = open_desk()
    if dry_run:
        found = read(desk, lambda connection: droppable(connection, name))
        out.say(f"would drop schema {found.name}, {found.state}, asked for as `rebuild {found.asked}`")
        return
    asyncio.run(drop(desk.endpoints.postgres, name))
    out.say(f"{name} is dropped")


def wanted_of(
    name: str | None, everything: bool, at: str | None, at_now: datetime, *, switches: bool = True, accepts: bool = False
) -> Wanted:
    """Return what a rebuild is to do; raises UsageInvalid for what cannot be meant."""
    if (name is None) == (not everything):
        raise UsageInvalid("say which read model, or --all")
    known = [one.name for one in PROJECTIONS]
    if name is not None and name not in known:
        raise UsageInvalid(f"no read model is called {name}; there are {', '.join(known)}")
    if at is None:
        return Wanted(name or "--all", only=name, switches=switches, accepts=accepts)
    if name is not None:
        raise UsageInvalid("a past moment is kept of all read models together: --all --at")
    return Wanted(f"--all --at {at}", at=marks_at(at, at_now))


def _give_up(desk: Desk, dry_run: bool) -> None:
    """Discard what is being built."""
    if dry_run:
        there = [one.name for one in read(desk, generations) if one.state == "building"]
        out.say(f"would drop {there[0]}" if there else "nothing is being built")
        return
    out.say(f"{asyncio.run(discard(desk.endpoints.postgres))} is given up and dropped")


def _foretell(desk: Desk, wanted: Wanted) -> None:
    """Say what a rebuild would do."""

    async def look(connection: Connection) -> str:
        there = await generations(connection)
        live = next(one.name for one in there if one.state == "serving")
        building = next((one.name for one in there if one.state == "building"), None)
        return (
            f"would {f'go on with {building}' if building else 'make a new generation'} (`rebuild {wanted.asked}`); {live} serves"
        )

    out.say(read(desk, look))


def _where(desk: Desk) -> Where:
    """Return what a rebuild works on."""
    return Where(desk.endpoints.kafka, desk.endpoints.postgres, desk.names, desk.settings.tenants)


@contextmanager
def _progress() -> Iterator[Told]:
    """Show on standard error how far a rebuild is."""
    with out.progress(total=1) as shown:
        yield Telling(shown)


class Telling:
    """Says how far a rebuild is: a bar that moves where somebody looks, else a line now and then."""

    def __init__(self, shown: Progress) -> None:
        self._shown = shown
        self._bar = shown.add_task("looking at what serves", total=None)
        self._said_s = 0.0

    def __call__(self, pace: Pace) -> None:
        """Tell one pace."""
        left = "" if pace.left_s is None else f", {pace.left_s:.0f} s left"
        rate = f"{pace.rate:,.0f} a second{left}"
        self._shown.update(self._bar, completed=pace.records, total=pace.total, description=rate)
        if not self._shown.console.is_terminal and pace.seconds - self._said_s >= _LINE_EVERY_S:
            self._said_s = pace.seconds
            out.say(f"{pace.records:,} of {pace.total:,} records, {rate}")


async def _witnessed(desk: Desk, wanted: Wanted, told: Told) -> tuple[Rebuilt, Seen]:
    """Rebuild, and read the public views meanwhile as anybody might."""
    async with Witness(lambda: connect(desk.endpoints.postgres, "witness"), _READ_EVERY_S) as witness:
        found = await rebuild(_where(desk), wanted, told)
    return found, witness.seen


def _as_json(found: Rebuilt, seen: Seen) -> dict[str, Any]:
    """Return the result for machines."""
    refused = {"reads": seen.reads, "refused_reads": len(seen.refused), "longest_read_s": round(seen.longest_s, 3)}
    return {**msgspec.structs.asdict(found), **refused}


def _show(found: Rebuilt) -> None:
    """Write how the read models compare."""
    rows = [(one.name, one.equal, one.live_rows, one.fold_rows, one.live[:12], one.fold[:12]) for one in found.models]
    out.table(("read model", "equal", "live rows", "rebuilt rows", "live", "rebuilt"), rows)


def _conclude(found: Rebuilt, seen: Seen) -> None:
    """Say what became of it; read models that differ end with 1."""
    pace = f"{found.records:,} records, {found.rate:,.0f} a second, {found.seconds:.1f} s in all"
    out.say(f"{pace}; {_OUTCOMES[found.state].format(found.generation)}")
    out.say(f"read meanwhile: {seen.reads} answers, {len(seen.refused)} refusals, the longest took {seen.longest_s:.2f} s")
    for one in seen.refused[:_REFUSALS_SHOWN]:
        out.say(f"refused: {one}")
    if changed := ", ".join(found.changed):
        out.say(f"changed by this release, so not compared: {changed}")
    if found.equal is False and found.state != "serving":
        different = ", ".join(one.name for one in found.models if not one.equal)
        raise CheckFailed(
            f"these read models are not what serves: {different}; `smolit projection verify --all` says which side is true, "
            "and --accept-differences switches"
        )


_OUTCOMES = {
    "serving": "{0} serves now",
    "building": "{0} is filled and does not serve; the same words go on with it",
    "kept": "{0} is kept as it was at that moment: read schema {0}, for instance `select * from {0}.tasks`",
}
