"""A worker, wired."""

import asyncio
import functools
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

from agents.pipeline import Toolbox
from handlers import workshop
from handlers.count import Count
from handlers.worker import Shift
from learning.outcomes import Outcomes
from smolit.process.hand import HandProcess
from smolit.process.lessons import ReadLessons
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
        lessons = ReadLessons(place.connect(f"{shift.worker}-lessons"))
        async with ports.http() as http, aclosing(lessons):
            toolbox = Toolbox(PROJECT, frozenset(settings.webhook_hosts), http, recordings(), lessons=lessons)
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


def recordings() -> Callable[[Path], Outcomes]:
    """Return what opens recorded outcomes, each file once per process."""
    return functools.cache(lambda path: Outcomes.load(path.parent, path.name))
