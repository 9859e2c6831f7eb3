"""Named outcomes: what a handler did, counted by name; the switchboard turns the counts into metrics."""

from collections.abc import Callable

Count = Callable[[str, int], None]


def uncounted(_outcome: str, _times: int) -> None:
    """Count nothing."""
