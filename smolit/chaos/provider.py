"""Two small real servers that agents ask for side effects: one takes our key and does a thing once, one does as it is told.

What they were asked and what they did is written down durably, outside every process that dies.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
from aiohttp import web
from msgspec import Struct

from smolit.stack.port import HOST

What = Literal["called", "applied"]
MOST_S = 0.06  # a call takes up to this long: long enough to die in the middle of it


class Line(Struct, frozen=True):
    """One thing that a provider was asked or did: for which business operation, under which key."""

    what: What
    operation: str
    key: str


class Asked(Struct, frozen=True):
    """What agents send; the task is the business operation."""

    task_id: str


@dataclass
class Provider:
    """One server. `idempotent`: a key that was seen before gets the first answer, and nothing happens."""

    idempotent: bool
    file: Path
    rng: random.Random
    lines: list[Line] = field(default_factory=list)
    _answers: "dict[str, asyncio.Future[int]]" = field(default_factory=dict)

    async def serve(self, request: web.Request) -> web.Response:
        """Take one call."""
        try:
            asked = msgspec.json.decode(await request.read(), type=Asked)
        except ConnectionResetError as error:  # whoever asked died before it had said what
            raise web.HTTPBadRequest from error
        key = request.headers.get("Idempotency-Key", "")
        self._write(Line("called", asked.task_id, key))
        # Shielded: whoever asked may die meanwhile, and a real service would go on.
        receipt = await asyncio.shield(self._once(asked.task_id, key) if self.idempotent else self._do(asked.task_id, key))
        return web.json_response({"receipt": receipt})

    def _once(self, operation: str, key: str) -> "asyncio.Future[int]":
        """Do it, unless it was done or is being done under this key."""
        if key not in self._answers:
            self._answers[key] = asyncio.ensure_future(self._do(operation, key))
        return self._answers[key]

    async def _do(self, operation: str, key: str) -> int:
        """Do it: work, the effect, more work."""
        await asyncio.sleep(self.rng.random() * MOST_S)
        receipt = self._write(Line("applied", operation, key))
        await asyncio.sleep(self.rng.random() * MOST_S)
        return receipt

    def _write(self, line: Line) -> int:
        """Write a line down for good and return its number."""
        with self.file.open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.lines.append(line)
        return len(self.lines)


@dataclass(frozen=True)
class Providers:
    """Both servers of one world, and their addresses."""

    once: Provider
    plain: Provider
    once_port: int
    plain_port: int

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return what the worlds' agents may call."""
        return (f"{HOST}:{self.once_port}", f"{HOST}:{self.plain_port}")


@asynccontextmanager
async def providers(folder: Path, seed: int) -> AsyncIterator[Providers]:
    """Run both servers while the context lasts."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    rng = random.Random(seed)  # noqa: S311  # how long calls take is no secret
    once = Provider(True, folder / "once.jsonl", rng)
    plain = Provider(False, folder / "plain.jsonl", rng)
    async with _served(once) as once_port, _served(plain) as plain_port:
        yield Providers(once, plain, once_port, plain_port)


@asynccontextmanager
async def _served(provider: Provider) -> AsyncIterator[int]:
    """Serve on loopback; yield the port."""
    app = web.Application()
    app.add_routes([web.post("/do", provider.serve)])
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
