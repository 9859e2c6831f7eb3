"""What is in force, followed live: the control topics folded whole by each process that asks."""

import asyncio
from collections.abc import Mapping

from bus.broadcast import Broadcast
from bus.producer import Published
from events.control import Control, evolve
from events.topics import CONTROL_TOPICS, Names
from events.wire import Incoming, decode


class ControlReader:
    """Holds `control` as of `seen()`, and can wait until it has come as far as somebody else."""

    def __init__(self, kafka: str, client_id: str, names: Names) -> None:
        self.control = Control()
        self._entities = {names.of(topic): topic.entity for topic in CONTROL_TOPICS}
        self._seen = dict.fromkeys(self._entities.values(), 0)
        self._ids: set[str] = set()
        self._moved = asyncio.Condition()
        self._pulse: set[asyncio.Task[None]] = set()
        self._broadcast = Broadcast(kafka, client_id, tuple(self._entities))

    async def start(self) -> None:
        """Read everything there is, then follow."""
        await self._broadcast.start(self._take)

    async def stop(self) -> None:
        """Follow no longer."""
        await self._broadcast.stop()

    def check(self) -> None:
        """Raise if following failed."""
        self._broadcast.check()

    def seen(self) -> dict[str, int]:
        """Return how far each control topic has been read: the offset after the last record."""
        return dict(self._seen)

    async def reach(self, seen: Mapping[str, int], timeout_s: float = 30.0) -> None:
        """Wait until everything that another reader had seen is known here too.

        Raises:
            TimeoutError: it did not come in time.
        """
        async with asyncio.timeout(timeout_s), self._moved:
            await self._moved.wait_for(lambda: all(self._seen[entity] >= place for entity, place in seen.items()))

    async def reach_published(self, places: list[Published]) -> None:
        """Wait until records that were just published are folded."""
        ours = [place for place in places if place.topic in self._entities]
        await self.reach({self._entities[place.topic]: place.offset + 1 for place in ours})

    def _take(self, record: Incoming) -> None:
        event = decode(record.headers, record.value)
        if event.id not in self._ids:  # a step run again repeats its facts: the first in the log counts
            self._ids.add(event.id)
            self.control = evolve(self.control, event.fact)
        self._seen[self._entities[record.topic]] = record.offset + 1
        self._notify()

    def _notify(self) -> None:
        task = asyncio.get_running_loop().create_task(self._wake())
        self._pulse.add(task)
        task.add_done_callback(self._pulse.discard)

    async def _wake(self) -> None:
        async with self._moved:
            self._moved.notify_all()
