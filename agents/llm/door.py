"""The door of the local model: a port behind which the server is started when somebody knocks for the first time.

So the model costs neither time at the start nor memory before it is needed. Bytes are handed to and fro as they are.
"""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress

from agents.llm.local import HOST

_CHUNK = 65_536
_BACKLOG = 64


class Door:
    """Listens; `behind` starts the server at the first knock and returns its port."""

    def __init__(self, behind: Callable[[], Awaitable[int]], count: Callable[[str, int], None]) -> None:
        self._behind, self._count = behind, count
        self._starting: asyncio.Task[int] | None = None
        self._server: asyncio.Server | None = None
        self._guests: set[asyncio.Task[None]] = set()

    async def open(self, port: int | None = None) -> int:
        """Listen on loopback and return the port; on a given one, for others on the network, too."""
        host = HOST if port is None else None
        self._server = await asyncio.start_server(self._welcome, host, port or 0, backlog=_BACKLOG)
        return self.addresses[0][1]

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Return where it listens."""
        return [one.getsockname()[:2] for one in self._server.sockets] if self._server else []

    async def close(self) -> None:
        """Listen no more, and end what is under way."""
        if self._server is not None:
            self._server.close()
        for task in self._guests:
            task.cancel()
        await asyncio.gather(*self._guests, return_exceptions=True)

    def _welcome(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Take one connection in."""
        guest = asyncio.ensure_future(self._knock(reader, writer))
        self._guests.add(guest)
        guest.add_done_callback(self._guests.discard)

    async def _knock(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Hand one connection through."""
        self._count("llm.connections", 1)
        with closing(writer), suppress(ConnectionError):
            try:
                inner_reader, inner_writer = await asyncio.open_connection(HOST, await self._port())
            except Exception:  # noqa: BLE001 whatever it is, the caller sees a closed door; who starts the server says why
                self._count("llm.refused", 1)
                return
            with closing(inner_writer):
                await _both(_pour(reader, inner_writer), _pour(inner_reader, writer))

    async def _port(self) -> int:
        """Return where the server is, which is started once; if that failed, the next knock tries again."""
        failed = self._starting is not None and self._starting.done() and self._starting.exception() is not None
        if self._starting is None or failed:
            self._starting = asyncio.ensure_future(self._behind())
        return await asyncio.shield(self._starting)


async def _both(one: Awaitable[None], other: Awaitable[None]) -> None:
    """Pour both ways until one side has ended: then nobody waits for the other."""
    tasks = [asyncio.ensure_future(one), asyncio.ensure_future(other)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _pour(source: StreamReader, target: StreamWriter) -> None:
    """Hand bytes on as they come."""
    while chunk := await source.read(_CHUNK):
        target.write(chunk)
        await target.drain()
