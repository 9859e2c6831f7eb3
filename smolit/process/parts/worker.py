"""A worker, wired."""

import asyncio
import functools
import time
from collections.abc import Callable
from pathlib import Path

from agents.pipeline import Toolbox
from handlers import workshop
from handlers.count import Count
from handlers.worker import Shift
from learning.encoding import TextEncoder
from learning.once import once
from learning.outcomes import Outcomes
from smolit.process.hand import HandProcess
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
        async with ports.http() as http:
            toolbox = Toolbox(
                PROJECT,
                frozenset(settings.webhook_hosts),
                http,
                recordings(),
                encoder=sentence_encoder(settings.cache / "encoder"),
            )
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


def sentence_encoder(folder: Path) -> Callable[[], TextEncoder]:
    """Return what opens the sentence encoder, once per process; it is built where there is none (3 s, once on a machine)."""
    return once(lambda: _built(folder))


def _built(folder: Path) -> TextEncoder:
    """Open the sentence encoder; raises EncoderError."""
    from learning.encoder import RECIPE, Encoder, built_by

    if built_by(folder) != RECIPE:
        from learning.encoder_build import ensure_encoder  # what builds graphs takes a second to import

        ensure_encoder(folder)
    return Encoder.load(folder)
