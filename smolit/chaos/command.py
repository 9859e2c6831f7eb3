"""`smolit chaos`: kill processes and servers while work flows, and prove that nothing is lost or done twice."""

import asyncio
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from smolit.cli import out
from smolit.errors import UsageInvalid
from smolit.folder import claim
from smolit.settings import Settings, load_settings

if TYPE_CHECKING:
    from smolit.chaos.report import Report
    from smolit.chaos.run import Asked, Told

Kills = Annotated[int, typer.Option("--kills", min=1, max=10_000, help="How many processes and servers are killed.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything that is left to chance.")]
File = Annotated[Path | None, typer.Option("--json", help="File for the figures as JSON.")]
Planted = Annotated[bool, typer.Option("--planted/--no-planted", help="Also plant bugs, and see that each one is found.")]
Keep = Annotated[bool, typer.Option("--keep", help="Keep logs, history and databases; after a failure they are kept anyway.")]


def chaos(kills: Kills = 30, seed: Seed = 1, json: File = None, planted: Planted = True, keep: Keep = False) -> None:
    """Kill processes and servers while work flows, then check that nothing was lost or done twice."""
    if json is not None and not json.parent.is_dir():
        raise UsageInvalid(f"there is no folder {json.parent} to write {json.name} to")
    raise typer.Exit(run(kills, seed, json, planted, keep))


def run(kills: int, seed: int, json: Path | None = None, planted: bool = True, keep: bool = False) -> int:
    """Do one run on a stack of its own and return the exit code: 0 only if all is well."""
    from smolit.chaos.report import complaints, summary  # what a run needs is heavy; the command line loads this module first
    from smolit.chaos.world import stack_settings
    from smolit.process.log import Who
    from smolit.process.shell import alone

    settings = load_settings()
    stack = stack_settings(settings)
    with alone(settings, Who("chaos", "all")):  # another run would take the stack away from this one
        told = _carry_out(stack, kills, seed, planted, keep)
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n")
    out.line(summary(told))
    if told.ok:
        return 0
    for complaint in complaints(told):
        out.say(complaint)
    out.say(f"Again: smolit chaos --kills {kills} --seed {seed}; logs, history and databases are kept in {stack.data_dir}.")
    return 1


def _carry_out(stack: Settings, kills: int, seed: int, planted: bool, keep: bool) -> "Report":
    """Start the harness's own stack, run, and take everything away again unless it is to be kept."""
    from smolit.chaos.bug import BUGS
    from smolit.chaos.run import Asked
    from smolit.stack import local

    local.down(stack, wipe=True)  # what an earlier run kept
    claim(stack.data_dir)
    ok = False
    try:
        with _telling() as told, quiet(stack.data_dir / "harness.log"):
            bugs = tuple(BUGS.values()) if planted else ()
            made = asyncio.run(_on_ground(stack, Asked(kills, seed, bugs), told))
        ok = made.ok
        return made
    finally:
        local.down(stack, wipe=ok and not keep)


async def _on_ground(stack: Settings, asked: "Asked", told: "Told") -> "Report":
    """Have stack and nursery up while the run lasts."""
    from smolit.chaos.run import run as storm
    from smolit.chaos.scene import Ground
    from smolit.chaos.world import raise_stack
    from smolit.process.nurse import Nurse

    raising = asyncio.create_task(asyncio.to_thread(raise_stack, stack, told))
    nurse = Nurse("smolit.chaos.child:BROOD", log=stack.data_dir / "nursery.log")
    await nurse.start()
    try:
        endpoints = await raising
        return await storm(Ground(stack, endpoints, nurse), asked, told)
    finally:
        await nurse.stop()


@contextmanager
def quiet(log: Path) -> Iterator[None]:
    """Send what libraries say of servers that are away, or busy, to a file."""
    handler, root = logging.FileHandler(log), logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


@contextmanager
def _telling() -> "Iterator[Told]":
    """Yield what says how far we are, on standard error: one line that moves on a terminal, else a line each time."""
    if not sys.stderr.isatty():
        yield out.say
        return
    with out.progress() as shown:
        task = shown.add_task("starting")
        yield lambda said: shown.update(task, description=said)
