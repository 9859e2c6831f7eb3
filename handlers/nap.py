"""A wait between two rounds that ends early when a process is told to stop."""

import asyncio


async def nap(stopped: asyncio.Event, seconds: float) -> None:
    """Wait, but no longer than until told to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stopped.wait()
    except TimeoutError:
        return
