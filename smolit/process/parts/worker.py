"""A worker, wired."""

import asyncio
import functools
import os
import time
from collections.abc import Callable
from pathlib import Path

from agents.pipeline import Toolbox
from handlers import workshop
from handlers.count import Count
from handlers.worker import Shift
from learning.outcomes import Outcomes
from smolit.process import log
from smolit.process.census import share_bytes
from smolit.process.hand import HandProcess
from smolit.process.language import language
from smolit.process.memory import watch
from smolit.process.place import Place
from smolit.process.roads import roads_of
from smolit.process.runnable import Runnable
from smolit.settings import PROJECT


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
        connect = place.connect(f"{shift.worker}-language")
        async with ports.http() as http, language(settings, shift.worker, connect, _tell) as chain:
            toolbox = Toolbox(PROJECT, frozenset(settings.webhook_hosts), http, recordings(), language=chain)
            watching = asyncio.create_task(watch(settings.worker_memory_mb, lambda: share_bytes(os.getpid()), stopped, count))
            try:
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
            finally:
                watching.cancel()

    return HandProcess("worker", body)


def _tell(told: str) -> None:
    """Say what is wrong with a language model, or with what it rests on."""
    log.bind().warning(told)


def recordings() -> Callable[[Path], Outcomes]:
    """Return what opens recorded outcomes, each file once per process."""
    return functools.cache(lambda path: Outcomes.load(path.parent, path.name))
