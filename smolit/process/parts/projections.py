"""The projections, wired."""

import asyncio

from handlers.count import Count
from projections.runner import Projector
from smolit.process.hand import HandProcess
from smolit.process.place import Place
from smolit.process.runnable import Runnable


def build(place: Place) -> Runnable:
    """Return the process."""
    settings = place.settings
    projector = Projector(
        place.endpoints.kafka,
        place.endpoints.postgres,
        place.names,
        settings.tenants,
        connect=place.ports.connect,
        make_reader=place.ports.reader,
        make_fold=place.ports.fold,
    )

    async def body(stopped: asyncio.Event, _count: Count) -> None:
        await projector.run(stopped.is_set)

    async def is_ready() -> bool:
        return await projector.lag() is not None

    return HandProcess("projections", body, is_ready)
