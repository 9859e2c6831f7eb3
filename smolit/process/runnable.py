"""What a process is to the code that starts, watches and stops it."""

import asyncio
from collections.abc import Mapping
from typing import Protocol


class Runnable(Protocol):
    """One part of smolit that runs until it is told to stop."""

    name: str

    async def run(self, stopped: asyncio.Event) -> None:
        """Run until `stopped` is set and the work under way has ended; raise a named error when it cannot go on."""
        ...

    async def ready(self) -> bool:
        """Return whether work is being taken in."""
        ...

    def counters(self) -> Mapping[str, float]:
        """Return how often each named outcome came about since the start; the names are few and fixed."""
        ...
