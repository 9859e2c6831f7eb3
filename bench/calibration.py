"""How fast this machine is just now: the time of a fixed loop of Python, printed beside every figure that was measured here."""

import time

_STEPS = 2_000_000


def loop_s() -> float:
    """Return the seconds that a fixed loop takes; a machine shared with others takes longer."""
    begun = time.perf_counter()
    total = 0
    for step in range(_STEPS):
        total += step % 7
    return round(time.perf_counter() - begun, 4)
