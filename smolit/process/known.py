"""Nobody works on a log that was made anew: our positions, claims and snapshots are places in the one before."""

import asyncio
from collections.abc import Mapping, Sequence

from bus.cluster import assert_same_logs, look
from events.topics import Names
from smolit.process.place import Place
from smolit.process.runnable import Runnable
from smolit.stack.local import Endpoints
from store import known_log
from store.postgres import connect


async def assert_known(endpoints: Endpoints, names: Names, tenants: Sequence[str]) -> int:
    """Compare every log that we keep for ever with the one we read before; remember the new ones. Return how many.

    Raises:
        LogChanged: a topic was deleted and made anew, or is gone.
        KafkaUnreachable, PostgresUnreachable: nobody answers.
    """
    present, topics = await look(endpoints.kafka), names.kept(tenants)
    connection = await connect(endpoints.postgres, "smolit-logs")
    try:
        remembered = await known_log.remembered(connection, topics)
        assert_same_logs(remembered, present)
        logs = {topic: present[topic].log for topic in topics if topic in present}
        if new := {topic: log for topic, log in logs.items() if topic not in remembered}:
            await known_log.remember(connection, new)
        return len(logs)
    finally:
        await connection.close()


class Guarded:
    """A process that begins only on the logs that it knows."""

    def __init__(self, inner: Runnable, place: Place) -> None:
        self.name = inner.name
        self._inner, self._place = inner, place

    async def run(self, stopped: asyncio.Event) -> None:
        """Look, then run; raises LogChanged, and whatever the process raises."""
        await assert_known(self._place.endpoints, self._place.names, self._place.settings.tenants)
        await self._inner.run(stopped)

    async def ready(self) -> bool:
        """Return whether work is being taken in."""
        return await self._inner.ready()

    def counters(self) -> Mapping[str, float]:
        """Return how often each named outcome came about."""
        return self._inner.counters()
