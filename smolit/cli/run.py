"""`smolit run`: one process, or all of them under a runner."""

import asyncio
import os
import sys
from typing import Annotated

import typer

from smolit.errors import UsageInvalid
from smolit.process.roster import EXTRAS, PROCESSES
from smolit.settings import Settings, load_settings

Instance = Annotated[str, typer.Option("--instance", help="Tells apart processes of one name; no two live ones share it.")]
Pool = Annotated[str, typer.Option("--pool", help="With `worker`: do what this pool's agents are asked, and nothing else.")]
UntilEof = Annotated[bool, typer.Option("--until-eof", help="End at once when standard input ends.", hidden=True)]
WhenTold = Annotated[bool, typer.Option("--when-told", help="With `all`: begin at a line on standard input.", hidden=True)]


def run(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Process to run, or `all`.")],
    instance: Instance = "1",
    pool: Pool = "",
    until_eof: UntilEof = False,
    when_told: WhenTold = False,
) -> None:
    """Run one process in the foreground, or all of them and start again what dies."""
    settings = load_settings()
    if name == "all":
        raise typer.Exit(_run_all(settings, until_eof, when_told))
    if name not in (*PROCESSES, *EXTRAS):
        raise UsageInvalid(f"no process is called {name!r}; there are {', '.join((*PROCESSES, *EXTRAS))}, and `all`")
    if pool and name != "worker":
        raise UsageInvalid("--pool is for `worker`: no other process does attempts")
    # Here and not above: this pulls in Faust and all else that a process may need, and no other command does.
    from smolit.process.child import run as run_one

    raise typer.Exit(run_one(settings, name, instance if not pool or instance != "1" else pool, until_eof, pool))


def _run_all(settings: Settings, until_eof: bool, when_told: bool) -> int:
    from smolit.process.runner import WHO, at_once, run_all  # see above
    from smolit.process.shell import die_with_parent, keep_standard_streams, supervised
    from smolit.process.start import starter

    keep_standard_streams()
    if until_eof and not when_told:
        die_with_parent()

    def told() -> bool:
        """Wait for the line; only then may somebody else read standard input."""
        begins = _told()
        if until_eof:
            die_with_parent()
        return begins

    given, begins = starter(settings, os.environ), told if when_told else at_once
    return supervised(settings, WHO, frozenset(), lambda _lines: asyncio.run(run_all(settings, given, begins)))


def _told() -> bool:
    """Wait for a line on standard input; return False if it ends before."""
    return bool(sys.stdin.buffer.readline())
