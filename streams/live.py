"""Which agents have a live worker: heartbeats followed, and forgotten after three that did not come."""

from collections.abc import Callable
from datetime import datetime

from bus.broadcast import Broadcast
from events.heartbeat import WorkerSeen
from events.topics import AGENTS_LIVE, Names
from events.wire import Incoming, decode

MISSED = 3


class LiveAgents:
    """Answers whether some worker serves an agent now; by our own monotonic clock, whatever the worker's says."""

    def __init__(
        self,
        kafka: str,
        client_id: str,
        names: Names,
        heartbeat_s: float,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._patience = MISSED * heartbeat_s
        self._clock, self._monotonic = clock, monotonic
        self._seen: dict[str, tuple[float, frozenset[str]]] = {}
        self._broadcast = Broadcast(kafka, client_id, (names.of(AGENTS_LIVE),))

    async def start(self) -> None:
        """Read the last heartbeat of every worker, then follow."""
        await self._broadcast.start(self._take)

    async def stop(self) -> None:
        """Follow no longer."""
        await self._broadcast.stop()

    def check(self) -> None:
        """Raise if following failed."""
        self._broadcast.check()

    def serves(self, agent: str) -> bool:
        """Return whether a worker that serves the agent was heard within three heartbeats."""
        since = self._monotonic() - self._patience
        return any(agent in agents for at, agents in self._seen.values() if at >= since)

    def _take(self, record: Incoming) -> None:
        if record.value is None:  # a tombstone: the worker said farewell and was compacted away
            return
        fact = decode(record.headers, record.value).fact
        if isinstance(fact, WorkerSeen):
            age = max(0.0, (self._clock() - fact.seen_at).total_seconds())
            agents = frozenset(fact.agents) if fact.capacity else frozenset[str]()
            self._seen[fact.worker] = (self._monotonic() - age, agents)
