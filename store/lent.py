"""A connection that is opened when it is first needed, and lent to one user at a time: transactions do not mix."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from store.postgres import Connection


class Lent:
    """Opens a connection late, and anew if it was lost."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]]) -> None:
        self._connect = connect
        self._turn = asyncio.Lock()
        self._connection: Connection | None = None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend it."""
        async with self._turn:
            if self._connection is None or self._connection.closed:
                self._connection = await self._connect()
            yield self._connection

    async def close(self) -> None:
        """Close it, if it was opened."""
        async with self._turn:
            if self._connection is not None:
                await self._connection.close()
                self._connection = None
