"""A handler or a fold as a process: one coroutine, counted outcomes, and a word on whether it takes work in."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

Body = Callable[[asyncio.Event, Callable[[str, int], None]], Awaitable[None]]


class HandProcess:
    """Runs a body; it is ready as long as the body runs and `is_ready` does not say otherwise."""

    def __init__(self, name: str, body: Body, is_ready: Callable[[], Awaitable[bool]] | None = None) -> None:
        self.name = name
        self._body, self._is_ready = body, is_ready
        self._counts: Counter[str] = Counter()
        self._running = False

    async def run(self, stopped: asyncio.Event) -> None:
        """Run; raises what ended the body."""
        self._running = True
        try:
            await self._body(stopped, self._count)
        finally:
            self._running = False

    async def ready(self) -> bool:
        """Return whether work is being taken in."""
        return self._running and (self._is_ready is None or await self._is_ready())

    def counters(self) -> Mapping[str, float]:
        """Return how often each named outcome came about."""
        return dict(self._counts)

    def _count(self, outcome: str, times: int) -> None:
        if times:
            self._counts[outcome] += times
