"""A Faust processor as a process: the stream, and what runs beside it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from psycopg.errors import IdleInTransactionSessionTimeout

from smolit.process.place import Place
from smolit.process.shell import end_at_once
from store.errors import Fenced
from streams.app import Brain
from streams.errors import SleptTooLong
from streams.processor import Processor

Beside = Callable[[asyncio.Event], Coroutine[Any, Any, None]]

# Each says that this process stood still and others took over: after a sleep, whichever part notices first ends the stream.
_TAKEN_OVER = (SleptTooLong, Fenced, IdleInTransactionSessionTimeout)


class BrainProcess:
    """Runs a processor until told to stop; the first part that fails ends it all, and who was taken over from goes at once."""

    def __init__(self, processor: Processor, brain: Brain, beside: Sequence[Beside] = ()) -> None:
        self.name = processor.name
        self._processor, self._brain, self._beside = processor, brain, beside

    async def run(self, stopped: asyncio.Event) -> None:
        """Run; raises what ended the stream or anything beside it."""
        await self._brain.start()
        try:
            await _first_end(stopped, [self._wait_failed, *(_bound(one, stopped) for one in self._beside)])
        finally:
            await self._brain.stop()

    async def _wait_failed(self) -> None:
        """Wait until the stream fails; a clean stop would take seconds, in which Kafka's client joins the group once more."""
        try:
            await self._brain.wait_failed()
        except _TAKEN_OVER as error:
            end_at_once(error)

    async def ready(self) -> bool:
        """Return whether records flow."""
        return self._brain.ready

    def counters(self) -> Mapping[str, float]:
        """Return how many records had which outcome."""
        return dict(self._processor.outcomes)


def _bound(beside: Beside, stopped: asyncio.Event) -> Callable[[], Awaitable[None]]:
    return lambda: beside(stopped)


async def _first_end(stopped: asyncio.Event, parts: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Wait until told to stop, or until a part fails, and raise its error."""
    tasks = [asyncio.ensure_future(part()) for part in parts]
    waiting = asyncio.create_task(stopped.wait())
    try:
        pending: set[asyncio.Future[Any]] = {waiting, *tasks}
        while not waiting.done() and pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for part in done:
                part.result()
    finally:
        for task in (waiting, *tasks):
            task.cancel()
        await asyncio.gather(waiting, *tasks, return_exceptions=True)


def brain(place: Place, processor: Processor) -> Brain:
    """Return the Faust app of a processor; its group and instance names are stored by Kafka, so they are spelled out."""
    return Brain(
        place.ports.processor(processor),
        kafka=place.endpoints.kafka,
        group=f"{place.settings.topic_prefix}-{processor.name}",
        instance=place.instance,
        data_dir=place.settings.data_dir / "faust",
    )
