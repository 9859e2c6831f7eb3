"""The chain of language models, as the settings name it."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from agents.llm.cache import Cache, NoCache
from agents.llm.chain import Chain
from agents.llm.client import Caller
from agents.llm.house import DayLimits, LentBlobs, StoredPurse
from agents.llm.keeping import Keeping, PostgresShelf, RedisShelf, Shelf
from agents.llm.price import Prices
from agents.llm.turn import Backends, Means
from smolit.process.llm import forget, knock, local_backend, note, remote_backends
from smolit.process.ports import utc_now
from smolit.settings import Settings
from store.lent import Lent
from store.postgres import Connection


@asynccontextmanager
async def language(
    settings: Settings, who: str, connect: Callable[[], Awaitable[Connection]], tell: Callable[[str], None]
) -> AsyncIterator[Chain]:
    """Yield access to language models for a process; nothing is opened or loaded before the first question.

    `tell` hears of trouble; how back ends stand for this process lies in the data folder.

    Raises:
        BadPrices: the file of prices cannot be used.
    """
    backends, lent = backends_of(settings), Lent(connect)
    forget(settings.data_dir, who)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(lent.close)
        means = Means(
            utc_now,
            time.monotonic,
            StoredPurse(lent, limits_of(settings), utc_now),
            _cache(settings, lent, await stack.enter_async_context(shelf(settings, lent)), tell),
            LentBlobs(lent),
            tell,
            lambda standings: note(settings.data_dir, who, standings, utc_now()),
        )
        chain = Chain(backends, means, Caller(utc_now))
        stack.push_async_callback(chain.close)
        yield chain


@asynccontextmanager
async def shelf(settings: Settings, lent: Lent) -> AsyncIterator[Shelf]:
    """Yield where the settings say that answers are kept."""
    address = settings.llm_cache_redis.get_secret_value()
    if not address:
        yield PostgresShelf(lent, settings.llm_cache_s)
        return
    redis = RedisShelf(address, settings.llm_cache_s)
    try:
        yield redis
    finally:
        await redis.close()


def limits_of(settings: Settings) -> DayLimits:
    """Return the limits of a day."""
    agents = {agent: int(limit) for agent, limit in settings.llm_agent_tokens_per_day.items()}
    return DayLimits(settings.llm_tokens_per_day, settings.llm_microusd_per_day, settings.llm_seconds_per_day, agents)


def _cache(settings: Settings, lent: Lent, kept_on: Shelf, tell: Callable[[str], None]) -> Cache:
    """Return the cache of answers, or one that keeps nothing."""
    return Keeping(kept_on, lent, time.monotonic, tell) if settings.llm_cache_s > 0 else NoCache()


def backends_of(settings: Settings) -> Backends:
    """Return the back ends that the settings name, the local one last."""
    local = (lambda: local_backend(settings)) if settings.local_llm == "on" else None
    if local is None:
        return Backends(remote_backends(settings), None, prices_of(settings), settings.llm_patience_s)
    wake = partial(knock, settings)
    return Backends(remote_backends(settings), local, prices_of(settings), settings.llm_patience_s, wake)


def prices_of(settings: Settings) -> Prices:
    """Return the prices in the file that the settings name; raises BadPrices."""
    from agents.llm.price import load

    return load(settings.llm_prices) if settings.llm_prices else {}
