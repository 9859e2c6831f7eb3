"""Lessons for workers: the read model's answers, over a connection that is opened when the first lesson is asked for."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from agents.errors import AgentFailed
from agents.lesson import CITED, Tally
from events.task import Features
from store.postgres import Connection


class ReadLessons:
    """Finds lessons in the read models; what was said a moment ago is there when the projections have read it."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]]) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._alone = asyncio.Lock()

    async def near(self, tenant: str, kind: str | None, features: Features, agent: str | None, most: int) -> tuple[Tally, ...]:
        """Return by answer what was said of tasks of a kind, for the `most` answers with the likest lesson.

        Raises:
            AgentFailed: the task's vector cannot be compared.
        """
        from projections.errors import VectorUnfit  # read models: workers do not need them before
        from projections.lesson import lessons_near
        from projections.similar import vector_of

        try:
            vector = vector_of(features.embedding, features.version)
        except VectorUnfit as error:
            raise AgentFailed("no_lessons", f"the task cannot be compared with others: {error}") from error
        async with self._alone:
            if self._connection is None:
                self._connection = await self._connect()
            found = await lessons_near(self._connection, vector, tenant, kind, agent, most, CITED)
        return tuple(msgspec.convert(msgspec.structs.asdict(one), Tally) for one in found)

    async def aclose(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            await self._connection.close()
