"""Learning, wired: the fold, and beside it the snapshots and the burial of feedback that waited too long."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from smolit.process.brain import BrainProcess, brain
from smolit.process.library import library
from smolit.process.place import Place
from smolit.process.runnable import Runnable
from store.snapshot import newest
from streams.control import ControlReader
from streams.horizon import bury
from streams.learning import Learning
from streams.snapshots import Snapshots, keep_storing

HORIZON_PAUSE_S = 60.0
SNAPSHOT_GATHER_S = 0.5  # nobody waits for a snapshot


def build(place: Place) -> Runnable:
    """Return the process."""
    processor = Learning(
        names=place.names, clock=place.ports.clock, connect=place.connect("smolit-learning"), fold=place.ports.fold
    )
    return BrainProcess(processor, brain(place, processor), [_snapshots(place), _horizon(place)])


def _snapshots(place: Place) -> Callable[[asyncio.Event], Coroutine[Any, Any, None]]:
    """Return what keeps snapshots of all policy states, beside the learning fold."""

    async def keep(stopped: asyncio.Event) -> None:
        followed = library(place, "learning-library", SNAPSHOT_GATHER_S)
        control = ControlReader(place.endpoints.kafka, "learning-control", place.names)
        connection = await place.connect("smolit-snapshots")()
        try:
            await followed.start(await newest(connection))
            await control.start()
            snapshots = Snapshots(followed, control, connection, place.names, place.ports.clock, place.settings.snapshot_every)
            await keep_storing(snapshots, stopped.is_set)
        finally:
            await control.stop()
            await followed.stop()
            await connection.close()

    return keep


def _horizon(place: Place) -> Callable[[asyncio.Event], Coroutine[Any, Any, None]]:
    """Return what sets aside feedback that has waited too long, now and then."""

    async def keep(stopped: asyncio.Event) -> None:
        connection = await place.connect("smolit-horizon")()
        patience = timedelta(days=place.settings.feedback_horizon_days)
        try:
            while not stopped.is_set():
                await bury(connection, place.names, place.ports.clock(), patience)
                await _pause(stopped, HORIZON_PAUSE_S)
        finally:
            await connection.close()

    return keep


async def _pause(stopped: asyncio.Event, seconds: float) -> None:
    """Wait, but no longer than until told to stop."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopped.wait()
