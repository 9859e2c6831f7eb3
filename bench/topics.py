"""Topics of a bench go when it ends: a broker that holds a thousand partitions nobody reads is no quiet one."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from bus.admin import admin, provision
from events.topics import Topic


@asynccontextmanager
async def lent(kafka: str, topics: Mapping[str, Topic]) -> AsyncIterator[None]:
    """Make topics, and delete them afterwards."""
    await provision(kafka, topics)
    try:
        yield
    finally:
        await drop(kafka, topics)


async def drop(kafka: str, topics: Iterable[str]) -> None:
    """Delete topics."""
    async with admin(kafka) as client:
        await client.delete_topics(sorted(topics))
