"""How fast this machine is just now: the time of a fixed loop of Python, printed beside every figure that was measured here."""

import time

from msgspec import Struct

_STEPS = 2_000_000


class Calibration(Struct, frozen=True):
    """How long a fixed loop of Python takes here and now: by the clock, and in processor time."""

    wall_ms: float
    cpu_ms: float


def calibration() -> Calibration:
    """Time a fixed loop, so that figures of two machines, or of a busy and an idle one, can be told apart."""
    wall, cpu, total = time.perf_counter(), time.process_time(), 0
    for step in range(_STEPS):
        total += step % 7
    return Calibration(1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu))


def loop_s() -> float:
    """Return the seconds that the loop takes; a machine shared with others takes longer."""
    return round(calibration().wall_ms / 1000, 4)
