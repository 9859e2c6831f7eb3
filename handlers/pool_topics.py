"""The topics of pools that live elsewhere, made when the first agent is in one."""

from collections.abc import Callable, Sequence

from bus.admin import provision
from bus.errors import WrongTopics
from events.pool import elsewhere, is_elsewhere
from events.topics import WORK, Names
from handlers.count import Count
from store import work
from store.postgres import Connection

Tell = Callable[[Sequence[str]], None]


class Topics:
    """Makes topics; `tell` hears of every pool.

    A topic that Kafka does not let us make is counted, and its pool gets nothing; all else goes on.
    """

    def __init__(self, kafka: str, names: Names, replicas: int, tell: Tell, count: Count) -> None:
        self._kafka, self._names, self._replicas, self._tell, self._count = kafka, names, replicas, tell, count
        self.made: set[str] = set()
        self._refused: set[str] = set()
        self._told: tuple[str, ...] | None = None

    async def made_for(self, connection: Connection) -> bool:
        """Make what is missing; return whether there is any pool elsewhere."""
        pools = await work.pools(connection)
        if pools != self._told:
            self._told = pools
            self._tell(pools)
        labels = {label for label in pools if is_elsewhere(label)}
        for label in sorted(labels - self.made - self._refused):
            try:
                await provision(self._kafka, {self._names.work_of(*_parts(label)): WORK}, self._replicas)
                self.made.add(label)
            except WrongTopics:
                self._refused.add(label)
                self._count("bridge.no_topic", 1)
        return bool(labels & self.made)


def _parts(label: str) -> tuple[str, str]:
    """Return tenant and pool of a label."""
    tenant, _, pool = label.removeprefix(elsewhere("", "").rstrip("/")).partition("/")
    return tenant, pool
