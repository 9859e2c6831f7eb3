"""`smolit up`, `down` and `status`: the servers and the processes, together."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Annotated, Any

import typer

from smolit.cli import out
from smolit.cli.desk import Desk
from smolit.cli.option import DryRun, Json
from smolit.errors import ServerForeign
from smolit.process import background
from smolit.process.census import census
from smolit.process.endpoints import locate
from smolit.process.lag import Lag, lags
from smolit.process.runner import live_runner
from smolit.settings import Settings, load_settings
from smolit.stack import local
from smolit.stack.status import StackStatus
from smolit.stack.status import status as stack_status
from store import work
from store.work import Backlog

Wipe = Annotated[bool, typer.Option("--wipe", help="Delete all that the local stack kept, too.")]


def up() -> None:
    """Start the local Kafka and Postgres, prepare them, and start all processes in the background."""
    settings = load_settings()
    # Alembic and ONNX are slow to import, and only this command needs them: it does so while the servers start.
    with out.progress() as shown, ThreadPoolExecutor(max_workers=1) as aside:
        making = aside.submit(import_module, "smolit.process.prepare")
        told = shown.add_task("starting")

        def say(what: str) -> None:
            shown.update(told, description=what)
            if not shown.console.is_terminal:
                out.say(what)

        endpoints = local.up(settings, say)
        asyncio.run(making.result().prepare(settings, endpoints, say))
        background.launch(settings)
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


def status(as_json: Json = False) -> None:
    """Show servers, processes, how far they are behind, and what waits."""
    settings = load_settings()
    found = asyncio.run(_status(settings))
    if as_json:
        out.json(found)
    else:
        _show(found)


def _refuse_foreign(settings: Settings) -> None:
    """Never delete data beside a Kafka or Postgres that is not ours: half of what belongs together would be left."""
    for name, given in (("KAFKA", settings.kafka), ("POSTGRES", settings.postgres.get_secret_value())):
        if given:
            raise ServerForeign(f"SMOLIT_{name} names a server that is not ours, so nothing was deleted; unset it to wipe.")


async def _status(settings: Settings) -> dict[str, Any]:
    """Return all there is to see."""
    servers = stack_status(settings)
    runner = live_runner(settings.data_dir)
    found: dict[str, Any] = {
        "data_dir": str(settings.data_dir),
        "servers": [servers.kafka, servers.postgres],
        "runner": {"pid": runner.pid if runner else None},
        "processes": census(settings.data_dir),
        "lag": [],
        "waiting": [],
    }
    if _runs(servers):
        found["lag"], found["waiting"] = await behind(settings)
    return found


def _runs(servers: StackStatus) -> bool:
    return servers.kafka.running and servers.postgres.running


async def behind(settings: Settings) -> tuple[list[Lag], list[Backlog]]:
    """Return lag and backlog; nothing where no table is yet."""
    desk = Desk(settings, locate(settings))
    async with desk.reading() as connection:
        cursor = await connection.execute("select to_regclass('ops.read_generation') is not null")
        row = await cursor.fetchone()
        if not (row and row[0]):
            return [], []
        return await lags(desk.endpoints.kafka, connection, desk.settings.topic_prefix), await work.backlog(connection)


def _show(found: dict[str, Any]) -> None:
    """Write it for people."""
    out.table(
        ("server", "running", "pid", "port", "version", "memory"),
        [(s.name, s.running, s.pid, s.port, s.version, _mib(s.rss_bytes)) for s in found["servers"]],
    )
    if not found["processes"]:
        out.say("no process runs; `smolit up` starts them")
    else:
        rows = [
            (p.identity, "ready" if p.ready else "starting" if p.pid else "down", p.pid, p.restarts, _span(p.uptime_s),
             _mib(p.rss_bytes), p.port)
            for p in found["processes"]
        ]  # fmt: skip
        out.table(("process", "state", "pid", "restarts", "up", "memory", "port"), rows)
    if found["lag"]:
        out.table(("reader", "topic", "records behind"), [(lag.consumer, lag.topic, lag.records) for lag in found["lag"]])
    if found["waiting"]:
        waits = [(w.agent or "(for a choice)", w.waiting, _span(w.oldest_s)) for w in found["waiting"]]
        out.table(("waiting for", "tasks", "longest"), waits)


def _mib(size: int | None) -> str | None:
    return None if size is None else f"{size / 2**20:.0f} MiB"


def _span(seconds: float | None) -> str | None:
    """Return a span as people say it."""
    if seconds is None:
        return None
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
