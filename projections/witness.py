"""A witness of a rebuild: asks the public views all the while, as others do, and counts who was refused."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import count

import psycopg
from msgspec import Struct

from projections.catalog import VIEWS
from store.postgres import Connection

_ROWS = 20


class Seen(Struct, frozen=True):
    """Reads that were answered, those that were refused and why, and how long the longest took (with turns of our own loop)."""

    reads: int
    refused: tuple[str, ...]
    longest_s: float


class Witness:
    """One connection that asks one public view after the other as long as the context lasts, with a pause between two reads."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], pause_s: float, first: int = 0) -> None:
        self._connect, self._pause_s, self._first = connect, pause_s, first
        self._going: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._reads, self._longest_s, self._refused = 0, 0.0, list[str]()

    async def __aenter__(self) -> "Witness":
        """Begin."""
        self._going = asyncio.create_task(self._go(await self._connect()))
        return self

    async def __aexit__(self, *_: object) -> None:
        """End after the read that is under way."""
        self._stop.set()
        if self._going is not None:
            await self._going

    @property
    def seen(self) -> Seen:
        """Return what was seen up to now."""
        return Seen(self._reads, tuple(self._refused), self._longest_s)

    async def _go(self, connection: Connection) -> None:
        """Read until told to stop; what is refused is noted, and the reading goes on."""
        try:
            for turn in count(self._first):
                await self._read(connection, VIEWS[turn % len(VIEWS)].name)
                if await self._told_to_stop():
                    return
        finally:
            await connection.close()

    async def _told_to_stop(self) -> bool:
        """Pause, and say whether to stop."""
        try:
            await asyncio.wait_for(self._stop.wait(), self._pause_s)
        except TimeoutError:
            return False
        return True

    async def _read(self, connection: Connection, view: str) -> None:
        """Read one view."""
        begun = time.monotonic()
        try:
            cursor = await connection.execute(f"select * from public.{view} limit {_ROWS}".encode(), prepare=False)  # noqa: S608 ours
            await cursor.fetchall()
            self._reads += 1
        except psycopg.Error as error:
            self._refused.append(f"{view}: {error!r}")
        self._longest_s = max(self._longest_s, time.monotonic() - begun)
