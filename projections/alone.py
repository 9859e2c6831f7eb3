"""Rebuilds and drops, one at a time, and with patience: it is never a reader that is sent away."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from psycopg.errors import IdleInTransactionSessionTimeout, LockNotAvailable

from projections.errors import RebuildRefused
from store.postgres import Connection, connect

T = TypeVar("T")

APPLICATION = "projection rebuild"
_TRY_TO_OWN = "select pg_try_advisory_lock(hashtextextended('projection rebuild', 0))"
# A killed rebuild's lock is freed when Postgres has noticed; that takes as long as its last statement.
_OWN_S = 15.0
# Readers that come while the switch waits for a lock wait behind it: so it waits shorter than they would mind, and shorter
# than Postgres takes to look for deadlocks (1 s), so that it is never a reader that is sent away.
LOCK_MS = 300
_PATIENCE_S = 120.0
_PAUSE_S = 0.5


@asynccontextmanager
async def alone(dsn: str) -> AsyncIterator[Connection]:
    """Yield a connection that keeps every other rebuild away.

    Raises:
        RebuildRefused: another one is under way.
    """
    connection = await connect(dsn, APPLICATION)
    try:
        end = time.monotonic() + _OWN_S
        while not await _own(connection):
            if time.monotonic() > end:
                raise RebuildRefused("another rebuild, or drop, is under way")
            await asyncio.sleep(_PAUSE_S)
        yield connection
    finally:
        await connection.close()


async def _own(connection: Connection) -> bool:
    """Return whether we are the only one."""
    row = await (await connection.execute(_TRY_TO_OWN)).fetchone()
    return bool(row and row[0])


async def patiently(act: Callable[[], Awaitable[T]]) -> T:
    """Try until no reader is in the way, and until what is done while a lock is held is done in time.

    Raises:
        RebuildRefused: somebody reads without a pause, or this machine is too busy.
    """
    end = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return await act()
        except (LockNotAvailable, IdleInTransactionSessionTimeout) as error:
            if time.monotonic() > end:
                locked = isinstance(error, LockNotAvailable)
                why = "somebody has held a lock" if locked else "this machine was too busy to come level"
                raise RebuildRefused(f"{why} for {_PATIENCE_S:.0f} s; the same words go on from here") from error
            await asyncio.sleep(_PAUSE_S)
