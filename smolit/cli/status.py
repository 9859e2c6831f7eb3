"""`smolit status`: servers, processes, how far they are behind, and what waits."""

import asyncio
from typing import Any

from smolit.cli import out
from smolit.cli.desk import Desk
from smolit.cli.option import Json
from smolit.process.census import census, share_bytes
from smolit.process.endpoints import locate
from smolit.process.lag import Lag, lags
from smolit.process.runner import live_runner
from smolit.settings import Settings, load_settings
from smolit.stack.status import StackStatus
from smolit.stack.status import status as stack_status
from store import work
from store.work import Backlog


def status(as_json: Json = False) -> None:
    """Show servers, processes, how far they are behind, and what waits."""
    settings = load_settings()
    found = asyncio.run(_status(settings))
    if as_json:
        out.json(found)
    else:
        _show(found)


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
             _mib((share_bytes(p.pid) if p.pid else None) or p.rss_bytes), p.port)
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
