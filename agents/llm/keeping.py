"""Where answers are kept to be given again: in Postgres, or in any server that speaks Redis' protocol.

Nothing here may fail a question: what does not answer, or holds what cannot be read, is told now and then, and is a miss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import msgspec
import psycopg

from agents.errors import CacheUnreachable
from agents.llm.cache import Kept
from agents.pipeline import Timer
from store import llm_cache
from store.errors import StoreError
from store.lent import Lent
from store.llm_cache import Tally

if TYPE_CHECKING:
    from redis.asyncio import Redis

_PREFIX = "smolit:llm"
_PATIENCE_S = 0.5  # a cache that takes longer is no help
_QUIET_S = 60.0
_AT_A_TIME = 1_000  # keys that a server looks at before it answers


class Shelf(Protocol):
    """Keeps bytes."""

    async def get(self, tenant: str, key: str) -> bytes | None:
        """Return what is kept."""
        ...

    async def put(self, tenant: str, key: str, content: bytes) -> None:
        """Keep it for a while."""
        ...

    async def kept(self, tenant: str) -> int:
        """Return how many answers of a tenant are kept."""
        ...

    async def clear(self, tenant: str) -> int:
        """Forget every answer of a tenant; return how many."""
        ...


class PostgresShelf:
    """In Postgres."""

    def __init__(self, lent: Lent, keep_s: float) -> None:
        self._lent, self._keep_s = lent, keep_s

    async def get(self, tenant: str, key: str) -> bytes | None:
        """Return what is kept."""
        async with self._lent.connection() as connection:
            return await llm_cache.get(connection, tenant, key)

    async def put(self, tenant: str, key: str, content: bytes) -> None:
        """Keep it for a while."""
        async with self._lent.connection() as connection:
            await llm_cache.put(connection, tenant, key, content, self._keep_s)

    async def kept(self, tenant: str) -> int:
        """Return how many answers of a tenant are kept."""
        async with self._lent.connection() as connection:
            return await llm_cache.kept(connection, tenant)

    async def clear(self, tenant: str) -> int:
        """Forget every answer of a tenant; return how many."""
        async with self._lent.connection() as connection:
            return await llm_cache.clear(connection, tenant)


class RedisShelf:
    """In a server that speaks RESP: `redis://[:password@]host:port/0`."""

    def __init__(self, address: str, keep_s: float) -> None:
        self._address, self._keep_s = address, keep_s
        self._client: Redis | None = None

    async def get(self, tenant: str, key: str) -> bytes | None:
        """Return what is kept."""
        found = await self._redis().get(f"{_PREFIX}:{tenant}:{key}")
        return found.encode() if isinstance(found, str) else found

    async def put(self, tenant: str, key: str, content: bytes) -> None:
        """Keep it for a while."""
        await self._redis().set(f"{_PREFIX}:{tenant}:{key}", content, px=max(1, round(self._keep_s * 1000)))

    async def kept(self, tenant: str) -> int:
        """Return how many answers of a tenant are kept; the server's keys are gone through.

        Raises:
            CacheUnreachable: the server does not answer.
        """
        return len(await self._keys(tenant))

    async def clear(self, tenant: str) -> int:
        """Forget every answer of a tenant; return how many.

        Raises:
            CacheUnreachable: the server does not answer.
        """
        return sum([await self._redis().unlink(key) for key in await self._keys(tenant)])

    async def _keys(self, tenant: str) -> list[bytes]:
        from redis.exceptions import RedisError

        try:
            return [key async for key in self._redis().scan_iter(match=f"{_PREFIX}:{tenant}:*", count=_AT_A_TIME)]
        except RedisError as error:
            raise CacheUnreachable(f"the server that keeps answers cannot be asked: {error}") from error

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._client is not None:
            await self._client.aclose()

    def _redis(self) -> Redis:
        """Return the client, which connects at the first command."""
        if self._client is None:
            from redis.asyncio import Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff

            self._client = Redis.from_url(
                self._address,
                socket_timeout=_PATIENCE_S,
                socket_connect_timeout=_PATIENCE_S,
                retry=Retry(NoBackoff(), 0),
            )
        return self._client


class Keeping:
    """The cache: a shelf whose failures are misses; hits and misses are counted in Postgres, whatever keeps the answers."""

    def __init__(self, shelf: Shelf, lent: Lent, timer: Timer, tell: Callable[[str], None]) -> None:
        self._shelf, self._lent, self._timer, self._tell = shelf, lent, timer, tell
        self._quiet_until = 0.0

    async def get(self, tenant: str, key: str, /) -> Kept | None:
        """Return what is kept, or None: also where the cache does not answer."""
        try:
            content = await self._shelf.get(tenant, key)
            kept = msgspec.json.decode(content, type=Kept) if content is not None else None
        except Exception as error:  # noqa: BLE001 whatever is wrong with a cache, the question is only answered more slowly
            self._trouble(error)
            kept = None
        await self._count(tenant, kept)
        return kept

    async def put(self, tenant: str, key: str, kept: Kept, /) -> None:
        """Keep an answer; where the cache does not answer, nothing is kept."""
        try:
            await self._shelf.put(tenant, key, msgspec.json.encode(kept))
        except Exception as error:  # noqa: BLE001 as above
            self._trouble(error)

    async def _count(self, tenant: str, kept: Kept | None) -> None:
        """Count a hit with what it saved, or a miss."""
        tokens = kept.tokens_in + kept.tokens_out if kept else 0
        saved = Tally(1, 0, tokens, kept.cost_microusd or 0, kept.duration_us) if kept else Tally(0, 1)
        try:
            async with self._lent.connection() as connection:
                await llm_cache.count(connection, tenant, saved)
        except (psycopg.Error, StoreError) as error:
            self._trouble(error)

    def _trouble(self, error: Exception) -> None:
        """Tell, but not at every question."""
        if self._timer() >= self._quiet_until:
            self._quiet_until = self._timer() + _QUIET_S
            self._tell(f"the cache of answers does not work, which only costs time: {type(error).__name__}: {error}")
