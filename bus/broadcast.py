"""Whole topics, to everybody: each process that asks reads every partition from the start and keeps following.

There is no group. What is folded from it (agents, experiments, learned state) every process folds for itself. Between two
deliveries records may gather for `gather_s`: each fetch has its price.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from bus.cluster import look
from bus.errors import WrongTopics
from bus.reader import MakeReader, PartitionReader, Place
from events.wire import Incoming

OnEvent = Callable[[Incoming], None]

_LIMIT = 500  # records between two turns of the event loop
_WAIT_MS = 1_000  # of one fetch; a record ends the wait at once


class Broadcast:
    """Follows topics; `on_event` is called once per record, in order within each partition, and must not wait."""

    def __init__(
        self,
        kafka: str,
        client_id: str,
        topics: Sequence[str],
        make_reader: MakeReader = PartitionReader,
        gather_s: float = 0.0,
    ) -> None:
        self._kafka = kafka
        self._gather_s = gather_s
        self._topics = tuple(topics)
        self._reader = make_reader(kafka, client_id)
        self._positions: dict[Place, int] = {}
        self._task: asyncio.Task[None] | None = None
        self.caught_up = asyncio.Event()

    async def start(
        self,
        on_event: OnEvent,
        positions: Mapping[Place, int] | None = None,
        remembered: Mapping[str, str] | None = None,
    ) -> None:
        """Deliver everything up to the ends seen now, set `caught_up`, and follow in the background from there.

        Partitions without a position are read from offset 0. `remembered`: see `PartitionReader.start`.

        Raises:
            BusError: the topics cannot be read; the subclass says why.
            Exception: whatever `on_event` raised.
        """
        wanted = dict.fromkeys(await self._places(), 0) | dict(positions or {})
        await self._reader.start(wanted, remembered)
        started = False
        try:
            await self._catch_up(on_event, wanted)
            started = True
        finally:
            if not started:
                await self._reader.stop()
        self.caught_up.set()
        self._task = asyncio.create_task(self._follow(on_event))

    @property
    def logs(self) -> dict[str, str]:
        """Return the id of each topic's log, to be kept with positions."""
        return self._reader.logs

    def position(self, topic: str, partition: int = 0) -> int:
        """Return the offset after the last record delivered."""
        return self._positions[topic, partition]

    def check(self) -> None:
        """Raise what ended the following, if something did."""
        if self._task is not None and self._task.done() and not self._task.cancelled():
            self._task.result()

    async def failed(self) -> None:
        """Wait until following ends, and raise what ended it."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Stop following and disconnect."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._reader.stop()

    async def _places(self) -> list[Place]:
        """Return every partition of our topics."""
        present = await look(self._kafka)
        if missing := sorted(set(self._topics) - set(present)):
            raise WrongTopics(f"topics are missing: {', '.join(missing)}; make them with `smolit up`")
        return [(topic, partition) for topic in self._topics for partition in range(present[topic].partitions)]

    async def _catch_up(self, on_event: OnEvent, wanted: Mapping[Place, int]) -> None:
        """Deliver up to the ends as of now; positions, not records, are compared, as offsets have gaps."""
        self._positions.update(wanted)
        behind = {place: end for place, end in (await self._reader.ends()).items() if end > wanted[place]}
        while behind:
            await self._deliver(on_event)
            behind = {place: end for place, end in behind.items() if await self._reader.position(*place) < end}

    async def _follow(self, on_event: OnEvent) -> None:
        while True:
            await self._deliver(on_event)
            if self._gather_s:
                await self._reader.rest(self._gather_s)

    async def _deliver(self, on_event: OnEvent) -> None:
        """Fetch once and hand over what came."""
        for record in await self._reader.fetch(_LIMIT, _WAIT_MS):
            on_event(record)
            self._positions[record.topic, record.partition] = record.offset + 1
