"""The sieve: between the log and a fold, so that a transaction is opened for what must be acted on, not for each record."""

from collections.abc import Callable
from typing import Literal

from events.wire import Incoming
from store.follow import Place, Source

Timer = Callable[[], float]


class Sieve:
    """A source that lets records wait for one that is urgent, for at most `hold_s`.

    Of records that nobody acts on, only the last of each partition is kept: it carries the position on.
    """

    def __init__(
        self,
        source: Source,
        urgency: Callable[[Incoming], Literal["now", "soon", "never"]],
        timer: Timer,
        hold_s: float = 0.2,
    ) -> None:
        self._source = source
        self._urgency = urgency
        self._timer = timer
        self._hold_s = hold_s
        self._kept: list[Incoming] = []
        self._passed: dict[Place, Incoming] = {}
        self._since: float | None = None

    async def fetch(self, limit: int = 500, wait_ms: int = 200) -> list[Incoming]:
        """Return what waits, as soon as one record is urgent, the time is up, or there are `limit`; else nothing."""
        urgent = False
        for record in await self._source.fetch(limit, wait_ms):
            urgent |= self._take(record) == "now"
        if urgent or len(self._kept) >= limit or self._is_late():
            return self._release()
        return []

    def _take(self, record: Incoming) -> str:
        """Keep a record, or its place."""
        if self._since is None:
            self._since = self._timer()
        urgency = self._urgency(record)
        if urgency == "never":
            self._passed[record.topic, record.partition] = record
        else:
            self._passed.pop((record.topic, record.partition), None)  # the position goes on with this one
            self._kept.append(record)
        return urgency

    def _is_late(self) -> bool:
        """Say whether something has waited long enough."""
        return self._since is not None and self._timer() - self._since >= self._hold_s

    def _release(self) -> list[Incoming]:
        """Return all that waits, in order within each partition."""
        released = [*self._kept, *self._passed.values()]
        self._kept, self._passed, self._since = [], {}, None
        return released
