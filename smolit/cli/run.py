"""`smolit run`: one process, or all of them under a runner."""

import asyncio
import functools
from typing import Annotated

import typer

from smolit.errors import UsageInvalid
from smolit.folder import choice_secret
from smolit.process.roster import PROCESSES
from smolit.settings import Settings, load_settings

Instance = Annotated[str, typer.Option("--instance", help="Tells apart processes of one name; no two live ones share it.")]
UntilEof = Annotated[bool, typer.Option("--until-eof", help="End at once when standard input ends.", hidden=True)]


def run(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Process to run, or `all`.")],
    instance: Instance = "1",
    until_eof: UntilEof = False,
) -> None:
    """Run one process in the foreground, or all of them and start again what dies."""
    settings = load_settings()
    if name == "all":
        raise typer.Exit(_run_all(settings, until_eof))
    if name not in PROCESSES:
        raise UsageInvalid(f"no process is called {name!r}; there are {', '.join(PROCESSES)}, and `all`")
    raise typer.Exit(_run_one(settings, name, instance, until_eof))


def _run_all(settings: Settings, until_eof: bool) -> int:
    from smolit.process.runner import WHO, run_all  # see below
    from smolit.process.shell import die_with_parent, keep_standard_streams, supervised

    keep_standard_streams()
    if until_eof:
        die_with_parent()
    return supervised(settings, WHO, frozenset(), lambda _lines: asyncio.run(run_all(settings)))


def _run_one(settings: Settings, name: str, instance: str, until_eof: bool) -> int:
    # Here and not above: this pulls in Faust and all else that a process may need, and no other command does.
    from smolit.process import compose
    from smolit.process.endpoints import locate
    from smolit.process.log import Who
    from smolit.process.place import Place
    from smolit.process.shell import Shell, main_of
    from smolit.process.told import told_ports

    endpoints = locate(settings)
    place = Place(settings, endpoints, instance, told_ports())
    secrets = frozenset({choice_secret(settings).get_secret_value(), endpoints.postgres})
    make = functools.partial(compose.build, name, place)
    return main_of(Shell(settings, Who(name, instance), make, secrets), until_eof)
