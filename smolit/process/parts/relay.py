"""The relay, wired."""

import asyncio
import time

from handlers import relay
from handlers.count import Count
from smolit.process.hand import HandProcess
from smolit.process.place import Place
from smolit.process.runnable import Runnable


def build(place: Place) -> Runnable:
    """Return the process."""

    async def body(stopped: asyncio.Event, count: Count) -> None:
        relay_id = f"relay-{place.instance}"
        kafka, dsn = place.endpoints.kafka, place.endpoints.postgres
        await relay.run(
            kafka,
            dsn,
            relay_id,
            stopped,
            time.monotonic,
            count,
            relay.Pace(),
            connect=place.ports.connect,
            make_publisher=place.ports.publisher,
        )

    return HandProcess("relay", body)
