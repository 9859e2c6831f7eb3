"""Working ahead: while Postgres writes one batch, the next one is fetched, read out and worked out.

Nothing is kept but in memory, and positions are moved only by who applies a batch: what was worked out ahead and never applied
is read again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from events.wire import Incoming
from store.follow import Source

_PIECE = 100  # records that are fetched at a time
Prepare = Callable[[Sequence[Incoming]], Awaitable[Sequence[Incoming]]]


class Piecewise:
    """A source that fetches a piece at a time: in between, whoever waits for Postgres may go on. A fetch given up is lost."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def fetch(self, limit: int = 500, wait_ms: int = 200) -> Sequence[Incoming]:
        """Return the next records, in order within each partition; empty when nothing came in time."""
        records = list(await self._source.fetch(min(limit, _PIECE), wait_ms))
        while 0 < len(records) < limit and len(records) % _PIECE == 0:  # else no more is there
            await asyncio.sleep(0)
            more = await self._source.fetch(min(limit - len(records), _PIECE), 0)
            if not more:
                break
            records += more
        return records


class Ahead:
    """A source of records that are worked out already (`prepare`); as it hands out one batch, it begins with the next."""

    def __init__(self, source: Source, prepare: Prepare) -> None:
        self._source, self._prepare = source, prepare
        self._next: asyncio.Task[Sequence[Incoming]] | None = None

    async def fetch(self, limit: int = 500, wait_ms: int = 200) -> Sequence[Incoming]:
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

    async def _read(self, limit: int, wait_ms: int) -> Sequence[Incoming]:
        """Fetch and work out."""
        return await self._prepare(await self._source.fetch(limit, wait_ms))
