"""Latencies in fixed buckets: counts that add up in any order, and percentiles that everybody computes alike."""

from bisect import bisect_left
from collections.abc import Sequence

from learning.errors import StatisticError

# Preferred numbers R20 (ISO 3): steps of 12 % (once 14 %), so a percentile is off by at most that.
_R20 = (100, 112, 125, 140, 160, 180, 200, 224, 250, 280, 315, 355, 400, 450, 500, 560, 630, 710, 800, 900)

# Upper edges in microseconds, from 0.1 ms to 1,000 s; kept for ever: stored counts mean nothing without them.
EDGES_US: tuple[int, ...] = (*(step * 10**decade for decade in range(7) for step in _R20), 1_000_000_000)
BUCKETS = len(EDGES_US) + 1  # the last one holds whatever took longer


def bucket(duration_us: int) -> int:
    """Return the index of the bucket that holds a duration: edges belong to the bucket below them."""
    if duration_us < 0:
        raise StatisticError(f"a duration of {duration_us} us is negative")
    return bisect_left(EDGES_US, duration_us)


def percentile_us(counts: Sequence[int], percent: int) -> int | None:
    """Return the percentile (1 to 100) in whole microseconds, or None where nothing was counted.

    Nearest rank, spread evenly inside its bucket, in integers alone. Beyond the last edge it returns that edge: it took
    at least so long.
    """
    if len(counts) != BUCKETS or min(counts) < 0 or not 1 <= percent <= 100:
        raise StatisticError(f"percentile {percent} of {len(counts)} buckets cannot be read; there are {BUCKETS}")
    rank = -(-sum(counts) * percent // 100)
    if rank == 0:
        return None
    index = 0
    while rank > counts[index]:
        rank -= counts[index]
        index += 1
    return _inside(index, rank, counts[index])


def _inside(index: int, rank: int, count: int) -> int:
    if index == BUCKETS - 1:
        return EDGES_US[-1]
    low = EDGES_US[index - 1] if index else 0
    return low + (EDGES_US[index] - low) * rank // count
