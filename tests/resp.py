"""A small server that speaks Redis' protocol (RESP2): what the cache of answers needs of it, over a real socket.

This one answers the commands of the client in use, and lets time pass when it is told to.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from fnmatch import fnmatchcase

_OK, _NIL = b"+OK\r\n", b"$-1\r\n"


class Resp:
    """Holds values with their end."""

    def __init__(self) -> None:
        self.url = ""
        self._values: dict[bytes, tuple[bytes, float]] = {}
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        self._writers.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                writer.write(self._answer(await _command(reader)))
                await writer.drain()

    def pass_by(self, seconds: float) -> None:
        """Let time pass for what is held."""
        self._values = {key: (value, end - seconds) for key, (value, end) in self._values.items()}

    def hang_up(self) -> None:
        """End every connection."""
        for writer in self._writers:
            writer.close()

    def _answer(self, words: list[bytes]) -> bytes:
        """Return the answer to one command."""
        match [words[0].upper(), *words[1:]]:
            case [b"GET", key]:
                value, end = self._values.get(key, (b"", 0.0))
                return b"$%d\r\n%s\r\n" % (len(value), value) if end > time.monotonic() else _NIL
            case [b"SET", key, value, unit, amount] if unit.upper() == b"PX":
                self._values[key] = (value, time.monotonic() + int(amount) / 1000)
                return _OK
            case [b"SCAN", b"0", b"MATCH", pattern, *_]:  # all at once: the cursor that comes back is the last one
                found = [key for key in self._values if fnmatchcase(key, pattern)]
                return b"*2\r\n$1\r\n0\r\n*%d\r\n" % len(found) + b"".join(b"$%d\r\n%s\r\n" % (len(key), key) for key in found)
            case [b"UNLINK", key]:
                return b":%d\r\n" % (self._values.pop(key, None) is not None)
            case [b"CLIENT" | b"SELECT" | b"PING", *_]:
                return _OK
            case [name, *_]:
                return b"-ERR unknown command '%s'\r\n" % name
            case _:
                return b"-ERR empty\r\n"


@asynccontextmanager
async def served() -> AsyncIterator[Resp]:
    """Serve while the context lasts."""
    resp = Resp()
    server = await asyncio.start_server(resp.serve, "127.0.0.1", 0)
    resp.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0?protocol=2"
    try:
        yield resp
    finally:
        server.close()
        resp.hang_up()


async def _command(reader: asyncio.StreamReader) -> list[bytes]:
    """Read one command: an array of bulk strings."""
    count = int((await reader.readuntil(b"\r\n"))[1:])
    words = []
    for _ in range(count):
        length = int((await reader.readuntil(b"\r\n"))[1:])
        words.append((await reader.readexactly(length + 2))[:-2])
    return words
