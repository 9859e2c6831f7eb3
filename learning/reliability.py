"""Do chances mean what they say: of all that was told to succeed in 7 of 10 cases, did 7 of 10?"""

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Vector = NDArray[np.float64]
BINS = 10


class Group(Struct, frozen=True):
    """Cases with like chances: the mean chance told, the share that came, how many."""

    told: float
    came: float
    count: int


def groups(told: Vector, came: Vector, bins: int = BINS) -> list[Group]:
    """Return cases (n,) by tenths of the chance told, those that hold any; `came` is 0 or 1."""
    place = np.minimum((told * bins).astype(np.int64), bins - 1)
    found = [place == number for number in range(bins)]
    return [Group(float(told[one].mean()), float(came[one].mean()), int(one.sum())) for one in found if one.any()]


def calibration_error(found: Sequence[Group]) -> float:
    """Return the mean gap between told and came, each case counting once (expected calibration error, Naeini et al. 2015)."""
    total = sum(one.count for one in found)
    return sum(one.count * abs(one.told - one.came) for one in found) / total if total else 0.0


def error_by_chance(found: Sequence[Group]) -> float:
    """Return the calibration error that luck alone makes of true chances, in the mean: what few cases cannot be told from.

    The gap of a group of n cases is about normal around 0, with the variance p (1 - p) / n (its mean chance p stands for all).
    """
    total = sum(one.count for one in found)
    spread = sum(math.sqrt(one.count * one.told * (1.0 - one.told)) for one in found)
    return math.sqrt(2.0 / math.pi) * spread / total if total else 0.0


def brier(told: Vector, came: Vector) -> float:
    """Return the mean squared gap between chance and outcome (Brier 1950); 0 is best."""
    return float(np.mean((told - came) ** 2)) if len(told) else 0.0
