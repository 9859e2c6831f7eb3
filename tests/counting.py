"""A small real HTTP server on loopback that counts who connects and keeps what was sent."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import NamedTuple


class Asked(NamedTuple):
    """One request: its first line's method and path, its headers by lower-case name, its body."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Served(NamedTuple):
    """What is answered: status, headers, body, and after how many seconds (negative: never, the connection is cut)."""

    status: int = 200
    headers: Mapping[str, str] = MappingProxyType({})
    body: bytes = b"{}"
    after_s: float = 0.0


class Counting:
    """What a server saw; `answer` says what is answered."""

    def __init__(self, answer: Callable[[Asked], Served]) -> None:
        self.answer = answer
        self.connections = 0
        self.asked: list[Asked] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        self.connections += 1
        try:
            asked = await _read(reader)
            self.asked.append(asked)
            told = self.answer(asked)
            if told.after_s >= 0:
                await asyncio.sleep(told.after_s)
                writer.write(_written(told))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def counting(answer: Callable[[Asked], Served] = lambda _asked: Served()) -> AsyncIterator[Counting]:
    """Yield a server that runs meanwhile."""
    found = Counting(answer)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    async with server:
        yield found


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    return Asked(method, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


def _written(told: Served) -> bytes:
    headers = {"content-length": str(len(told.body)), "connection": "close", "content-type": "application/json", **told.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {told.status} X\r\n{lines}\r\n".encode() + told.body
