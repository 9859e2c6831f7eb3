"""Shares of cases with their interval."""

from collections.abc import Sequence

from bench.spread import Range, bootstrapped, mean


def share(hits: Sequence[bool], seed: int) -> Range:
    """Return how many of the cases are hits; where all or none are, the far end of the interval is 3 / n (rule of three)."""
    drawn = bootstrapped([float(hit) for hit in hits], mean, seed)
    room = min(1.0, 3 / len(hits))
    if drawn.value == 0:
        return Range(0.0, 0.0, room)
    return Range(1.0, 1 - room, 1.0) if drawn.value == 1 else drawn
