"""`smolit up`, `prepare` and `down`: the servers and the processes, together.

`status` stands apart: what it reads is slow to import, and whoever starts the stack waits for that.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Annotated

import typer

from smolit.cli import out
from smolit.cli.option import DryRun
from smolit.errors import ServerForeign
from smolit.process import background
from smolit.process.endpoints import locate
from smolit.settings import Settings, load_settings
from smolit.stack import local

Wipe = Annotated[bool, typer.Option("--wipe", help="Delete all that the local stack kept, too.")]


def up() -> None:
    """Start the local Kafka and Postgres, prepare them, and start all processes in the background."""
    settings = load_settings()
    # Alembic and ONNX are slow to import, and only this command needs them: it does so while the servers start.
    with out.progress() as shown, background.launching(settings) as begin, ThreadPoolExecutor(max_workers=1) as aside:
        making = aside.submit(import_module, "smolit.process.prepare")
        told = shown.add_task("starting")

        def say(what: str) -> None:
            shown.update(told, description=what)
            if not shown.console.is_terminal:
                out.say(what)

        endpoints = local.up(settings, say)
        asyncio.run(making.result().prepare(settings, endpoints, say))
        begin()
        standings = background.wait_ready(settings, say)
    out.say(
        f"{len(standings)} processes are ready; Kafka is at {endpoints.kafka}; `smolit task submit TEXT --wait` asks something"
    )


def prepare() -> None:
    """Make what is missing in the Kafka and Postgres of the settings: topics, tables, the encoder, the agents that come along."""
    from smolit.process.prepare import prepare as make  # slow to import, as in `up`

    settings = load_settings()
    asyncio.run(make(settings, locate(settings), out.say))


def down(wipe: Wipe = False, dry_run: DryRun = False) -> None:
    """Stop the processes and the local stack."""
    settings = load_settings()
    if wipe:
        _refuse_foreign(settings)
    if dry_run:
        out.say(
            f"would stop all processes and the local stack of {settings.data_dir}{', and delete that folder' if wipe else ''}"
        )
        return
    background.halt(settings, out.say)
    local.down(settings, wipe=wipe, progress=out.say)


def _refuse_foreign(settings: Settings) -> None:
    """Never delete data beside a Kafka or Postgres that is not ours: half of what belongs together would be left."""
    for name, given in (("KAFKA", settings.kafka), ("POSTGRES", settings.postgres.get_secret_value())):
        if given:
            raise ServerForeign(f"SMOLIT_{name} names a server that is not ours, so nothing was deleted; unset it to wipe.")
