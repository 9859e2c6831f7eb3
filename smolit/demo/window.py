"""How many questions are under way at a time: as many as keep the median wait for a choice near a target.

A fixed number would either leave the machine idle or let requests queue up and measure the queue. Each wait longer than the
target makes the window a little smaller, each shorter one a little larger, by the same step: half of the waits then lie on
either side (stochastic approximation of a quantile; Robbins & Monro 1951).
"""

import asyncio

STEP = 0.25
LEAST = 6.0


class Window:
    """A gate whose width follows the waits it is told of."""

    def __init__(self, most: int, target_s: float) -> None:
        self._most, self._target_s = float(most), target_s
        self._size = min(LEAST, self._most)
        self._running = 0
        self._moved = asyncio.Condition()
        self.widest = 0

    @property
    def most(self) -> int:
        """Return how many may ever be under way."""
        return int(self._most)

    @property
    def size(self) -> float:
        """Return how many may be under way now."""
        return self._size

    def told(self, waited_s: float) -> None:
        """Take in how long one choice was waited for."""
        step = STEP if waited_s <= self._target_s else -STEP
        self._size = min(self._most, max(min(LEAST, self._most), self._size + step))

    async def __aenter__(self) -> "Window":
        """Wait until there is room, and take it."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._running + 1 <= self._size)
            self._running += 1
            self.widest = max(self.widest, self._running)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave, and let others look again."""
        async with self._moved:
            self._running -= 1
            self._moved.notify_all()
