"""Reading ahead: while Postgres writes one batch, the next one is fetched and read out.

Nothing is kept but in memory, and positions are moved only by who applies a batch: what was read ahead and never applied is
read again.
"""

import asyncio
from collections.abc import Sequence

from events.topics import Names
from events.wire import Incoming
from projections.sorting import SortedRecord, sorted_of
from store.follow import Source

# So many records are read out at a time; in between, whoever waits for Postgres may go on.
_SLICE = 40


class Ahead:
    """A source of records that are read out already; as it hands out one batch, it begins with the next."""

    def __init__(self, source: Source, names: Names) -> None:
        self._source, self._names = source, names
        self._next: asyncio.Task[list[Incoming]] | None = None

    async def fetch(self, limit: int = 500, wait_ms: int = 200) -> list[Incoming]:
        """Return the next records, in order within each partition; empty when nothing came in time."""
        waiting, self._next = self._next, None
        records = await (waiting or self._read(limit, wait_ms))
        self._next = asyncio.create_task(self._read(limit, wait_ms))
        return records

    async def forget(self) -> None:
        """Give up what was read ahead: whoever turns the source elsewhere wants none of it."""
        waiting, self._next = self._next, None
        if waiting is not None:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)  # what it failed with meets whoever fetches next

    async def _read(self, limit: int, wait_ms: int) -> list[Incoming]:
        """Fetch and read out, a slice at a time."""
        fetched = await self._source.fetch(limit, wait_ms)
        read: list[Incoming] = []
        for start in range(0, len(fetched), _SLICE):
            read += self._sorted(fetched[start : start + _SLICE])
            await asyncio.sleep(0)
        return read

    def _sorted(self, records: Sequence[Incoming]) -> list[SortedRecord]:
        return [sorted_of(record, self._names) for record in records]
