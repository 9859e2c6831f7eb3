"""The watch over a process's memory."""

import asyncio
from collections import Counter

from smolit.process.memory import watch

MIB = 2**20


async def watched(most_mb: int, readings: list[int | None]) -> tuple[bool, Counter[str]]:
    """Watch these readings; return whether the process was told to stop, and what was counted."""
    stopped, counts, left, over = asyncio.Event(), Counter[str](), iter(readings), asyncio.Event()

    def used() -> int | None:
        reading = next(left, -1)
        if reading == -1:
            over.set()
            return None
        return reading

    watching = asyncio.create_task(watch(most_mb, used, stopped, lambda name, times: counts.update({name: times}), pause_s=0.001))
    ended = asyncio.create_task(over.wait())
    await asyncio.wait([watching, ended], timeout=60, return_when=asyncio.FIRST_COMPLETED)
    for task in (watching, ended):
        task.cancel()
    return stopped.is_set(), counts


async def test_above_its_limit_a_process_starts_afresh() -> None:
    """The first reading above the limit tells it to stop, once, and it is counted."""
    assert await watched(100, [90 * MIB, 100 * MIB, 101 * MIB, 500 * MIB]) == (True, Counter({"worker.over_memory": 1}))


async def test_within_its_limit_it_goes_on() -> None:
    """What cannot be measured is not held against it."""
    assert await watched(100, [90 * MIB, None, 100 * MIB]) == (False, Counter())


async def test_without_a_limit_nothing_is_looked_at() -> None:
    """Zero is no limit."""
    assert await watched(0, [10**6 * MIB]) == (False, Counter())
