"""A worker, wired."""

import asyncio
import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agents.pipeline import Toolbox
from handlers import workshop
from handlers.count import Count
from handlers.worker import Shift
from learning.outcomes import Outcomes
from smolit.keys import agent_keys
from smolit.process.hand import HandProcess
from smolit.process.place import Place
from smolit.process.ports import Ports
from smolit.process.roads import roads_of
from smolit.process.runnable import Runnable
from smolit.settings import PROJECT, Settings
from smolit.tool_servers import tool_servers

if TYPE_CHECKING:
    import httpx


def build(place: Place) -> Runnable:
    """Return the process."""
    settings, ports = place.settings, place.ports
    shift = Shift(
        worker=f"worker-{place.instance}",
        agents=None,
        capacity=settings.worker_capacity,
        lease_s=settings.lease_s,
        heartbeat_s=settings.heartbeat_s,
    )

    async def body(stopped: asyncio.Event, count: Count) -> None:
        kafka, dsn = place.endpoints.kafka, place.endpoints.postgres
        roads = roads_of(place, "smolit/worker")
        async with ports.http() as http:
            toolbox = toolbox_of(settings, ports, http)
            await workshop.run(
                kafka,
                dsn,
                shift,
                roads,
                toolbox,
                stopped,
                ports.clock,
                time.monotonic,
                count,
                connect=ports.connect,
                make_publisher=ports.publisher,
            )

    return HandProcess("worker", body)


def toolbox_of(settings: Settings, ports: Ports, http: "httpx.AsyncClient") -> Toolbox:
    """Return what pipelines may use, as the settings name it; keys of services come from this process's environment."""
    return Toolbox(
        PROJECT,
        frozenset(settings.webhook_hosts),
        http,
        recordings(),
        clock=ports.clock,
        keys=agent_keys(os.environ),
        servers=tool_servers(settings.tool_servers, os.environ),
    )


def recordings() -> Callable[[Path], Outcomes]:
    """Return what opens recorded outcomes, each file once per process."""
    return functools.cache(lambda path: Outcomes.load(path.parent, path.name))
