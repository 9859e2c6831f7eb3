"""Who may ask the local model next: one at a time, the tightest deadline first, each no longer than leaves others theirs.

It computes one answer at a time anyway. Left to its own queue, the first takes all the time that it wants, and the last none.
"""

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from agents.pipeline import Timer


class Turnstile:
    """Lets one through at a time, as one process sees it; several processes share the model's own queue."""

    def __init__(self, timer: Timer) -> None:
        self._timer = timer
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._taken, self._count = False, 0

    @asynccontextmanager
    async def turn(self, ends: float) -> AsyncIterator[Callable[[], bool]]:
        """Wait for one's turn, at most until `ends` on the timer; yield what says whether others need it now.

        Raises:
            TimeoutError: it did not come.
        """
        await self._take(ends)
        began = self._timer()

        def over() -> bool:
            waiting = (waiting for waiting, _, future in self._waiting if not future.done())
            return self._timer() >= began + share_s(began, ends, waiting)

        try:
            yield over
        finally:
            self._pass_on()

    async def _take(self, ends: float) -> None:
        """Wait until nobody has the turn."""
        if not self._taken:
            self._taken = True
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._waiting, (ends, self._count, future))
        try:
            async with asyncio.timeout(max(0.0, ends - self._timer())):
                await future
        except BaseException:
            if future.done() and not future.cancelled():
                self._pass_on()  # it came in the moment in which we gave up
            raise

    def _pass_on(self) -> None:
        """Give the turn to the next one that still waits."""
        while self._waiting:
            _, _, future = heapq.heappop(self._waiting)
            if not future.done():
                future.set_result(None)
                return
        self._taken = False


def share_s(now: float, ends: float, waiting: Iterable[float]) -> float:
    """Return how long an answer may take so that each that waits gets as much before its own end (earliest deadline first)."""
    return max(0.0, min((end - now) / place for place, end in enumerate(sorted((ends, *waiting)), 1)))
