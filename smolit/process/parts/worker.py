"""A worker, wired."""

import asyncio
import functools
import os
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from agents.consent import Consent
from agents.pipeline import Toolbox
from agents.vectors import Encoders
from handlers import workshop
from handlers.count import Count
from handlers.guard import Bounds
from handlers.telling import Teller
from handlers.worker import Shift
from learning.outcomes import Outcomes
from smolit.errors import MemoryExceeded
from smolit.keys import agent_keys
from smolit.knowledge.shelf import PostgresShelf
from smolit.process import front, log
from smolit.process.census import share_bytes
from smolit.process.hand import HandProcess
from smolit.process.language import language
from smolit.process.lessons import ReadLessons
from smolit.process.memory import gauge, watch
from smolit.process.models import ReadModels
from smolit.process.place import Place
from smolit.process.ports import Ports
from smolit.process.roads import roads_of
from smolit.process.runnable import Runnable
from smolit.process.shell import end_at_once
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
        pool=place.pool,
    )

    async def body(stopped: asyncio.Event, count: Count) -> None:
        kafka, dsn = place.endpoints.kafka, place.endpoints.postgres
        roads = roads_of(place, "smolit/worker")
        connect = place.connect(f"{shift.worker}-language")
        async with (
            ports.http(settings.webhook_hosts) as http,
            language(settings, shift.worker, connect, _tell) as chain,
            AsyncExitStack() as stack,
        ):
            encoders = Encoders(settings.cache / "encoder")
            shelf = PostgresShelf(place.connect("smolit-shelf"), place.names, encoders)
            stack.push_async_callback(shelf.close)
            lessons = ReadLessons(place.connect(f"{shift.worker}-lessons"))
            stack.push_async_callback(lessons.aclose)
            models = ReadModels(place.connect(f"{shift.worker}-models"), settings.encoder, time.monotonic)
            stack.push_async_callback(models.close)
            teller = Teller(kafka, shift.worker, place.names, ports.publisher, ports.clock, count)
            stack.push_async_callback(teller.stop)
            means = toolbox_of(settings, ports, http)
            toolbox = replace(means, language=chain, shelf=shelf, encoders=encoders, lessons=lessons, models=models)
            work = workshop.run(
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
                memory=guarded(settings.worker_memory_mb),
                teller=teller,
            )
            async with asyncio.TaskGroup() as group:
                group.create_task(front.run(place, shift.worker, toolbox, teller, stopped, count))
                used = functools.partial(share_bytes, os.getpid())
                watching = group.create_task(watch(settings.worker_memory_mb, used, stopped, count))
                await work
                watching.cancel()

    return HandProcess("worker", body)


def guarded(most_mb: int) -> workshop.Memory | None:
    """Return how the memory of this process is guarded; None: it has no limit."""
    if not most_mb:
        return None
    return workshop.Memory(Bounds.of(most_mb), gauge(os.getpid()), lambda why: end_at_once(MemoryExceeded(why)))


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
        consent=Consent(frozenset(settings.ask_outside), settings.approval_s),
    )


def _tell(told: str) -> None:
    """Say what is wrong with a language model, or with what it rests on."""
    log.bind().warning(told)


def recordings() -> Callable[[Path], Outcomes]:
    """Return what opens recorded outcomes, each file once per process."""
    return functools.cache(lambda path: Outcomes.load(path.parent, path.name))
