"""The door of the local model: it starts what is behind it at the first knock, once, and hands bytes through."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from agents.llm.door import Door


class Behind:
    """An echo server that takes a moment to start."""

    def __init__(self, failures: int = 0) -> None:
        self.starts, self._failures = 0, failures
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Start; return the port."""
        self.starts += 1
        await asyncio.sleep(0.05)
        if self.starts <= self._failures:
            raise OSError("no memory")
        self._server = await asyncio.start_server(self._echo, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            while chunk := await reader.read(1024):
                writer.write(chunk.upper())
                await writer.drain()

    async def stop(self) -> None:
        """Stop, once the last guest has gone."""
        if self._server is not None:
            self._server.close()
            await asyncio.sleep(0.05)


@asynccontextmanager
async def door_of(behind: Behind) -> AsyncIterator[tuple[int, Counter[str]]]:
    """Yield an open door's port, and what it counts."""
    counts = Counter[str]()
    door = Door(behind.start, lambda name, times: counts.update({name: times}))
    port = await door.open()
    try:
        yield port, counts
    finally:
        await door.close()
        await behind.stop()


async def test_it_opens_where_it_is_told_to() -> None:
    """In a container others come over the network: the port is the given one, on all addresses; else loopback alone."""
    door, other = Door(Behind().start, lambda *_: None), Door(Behind().start, lambda *_: None)
    free = await door.open()
    await door.close()

    assert await other.open(free) == free
    listening = {address[0] for address in other.addresses}
    await other.close()
    assert "0.0.0.0" in listening


async def said(port: int, what: bytes) -> bytes:
    """Say something through the door; return what comes back before it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(what)
        return await asyncio.wait_for(reader.read(len(what)), 60)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_nothing_is_started_before_somebody_knocks() -> None:
    """An open door costs nothing; ten who knock at once have one server started, and each gets his own bytes."""
    behind = Behind()
    async with door_of(behind) as (port, counts):
        idle = behind.starts
        answers = await asyncio.gather(*(said(port, b"hello %d" % number) for number in range(10)))

    assert (idle, behind.starts) == (0, 1)
    assert answers == [b"HELLO %d" % number for number in range(10)]
    assert counts["llm.connections"] == 10


async def test_a_start_that_fails_closes_the_door_and_is_tried_again() -> None:
    """Who knocked meanwhile sees a closed connection; the next one has it tried again."""
    behind = Behind(failures=1)
    async with door_of(behind) as (port, counts):
        first, second = await said(port, b"one"), await said(port, b"two")

    assert (first, second) == (b"", b"TWO")
    assert (behind.starts, counts["llm.refused"]) == (2, 1)
