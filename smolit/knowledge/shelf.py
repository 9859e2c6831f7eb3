"""The shelf: what agents and commands search knowledge with, on the read models in Postgres."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from msgspec.structs import replace

from agents.port import Passage
from agents.vectors import Encoders
from events.topics import Names
from learning.text import readable
from projections.knowledge_near import Question, written
from projections.knowledge_read import position
from projections.knowledge_search import Hit, in_force, search
from projections.knowledge_wanted import Wanted
from store.postgres import Connection

RIGHT = "@"  # `law@secret`: the domain `law`, also what only who holds `secret` may read


class PostgresShelf:
    """Searches on a connection of its own, made at the first question; one at a time."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], names: Names, encoders: Encoders) -> None:
        self._connect, self._names, self._encoders = connect, names, encoders
        self._turn = asyncio.Lock()
        self._connection: Connection | None = None

    async def search(self, tenant: str, query: str, domains: Sequence[str], most: int) -> tuple[Passage, ...]:
        """Return the passages of these domains that fit best, best first; none where no domain is granted."""
        if not domains or not query.strip():
            return ()
        wanted = granted(tenant, domains, most)
        async with self._turn:
            if self._connection is None or self._connection.closed:
                self._connection = await self._connect()
            as_of = await position(self._connection, self._names)
            hits = await find(self._connection, self._encoders, readable(query).replace("\x00", " "), wanted)
        return tuple(passage(hit, as_of) for hit in hits)

    async def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            await self._connection.close()


def granted(tenant: str, domains: Sequence[str], most: int) -> Wanted:
    """Return what may be found by who is granted these domains, some of them with a right behind `@`."""
    parts = [domain.partition(RIGHT) for domain in domains]
    held = tuple(sorted({right for _, _, right in parts if right}))
    return Wanted(tenant=tenant, k=most, domains=tuple(dict.fromkeys(name for name, _, _ in parts)), held=held)


async def find(connection: Connection, encoders: Encoders, text: str, wanted: Wanted) -> list[Hit]:
    """Return the pieces that fit a text best; by words alone where the vectors that serve are of another release's encoder."""
    force = await in_force(connection, wanted.tenant, wanted.as_of)
    if force is None:
        return []
    encoder = await encoders.get(force.kind)
    question = Question(text)
    if encoder.label == force.encoder:
        question = replace(question, encoder=force.encoder, vector=written(await asyncio.to_thread(encoder.encode, text)))
    return await search(connection, question, wanted)


def passage(hit: Hit, as_of: int | None = None) -> Passage:
    """Return a hit as agents see it."""
    return Passage(hit.domain, hit.document_id, hit.version, hit.chunk, hit.title, hit.text, hit.score, as_of)
