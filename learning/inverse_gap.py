"""Inverse-gap weighting: another than the best the more rarely the further it is behind (Foster & Rakhlin, arXiv:2002.04926)."""

import math

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Rows = NDArray[np.intp]


def inverse_gap_weights(scores: Vector, best: Rows, gamma: float, floor: float) -> list[tuple[float, ...]]:
    """Return 1/(K + gamma gap) but at least the floor for all except the best, and the rest (at least 1/K) for it, by row."""
    rows = np.arange(len(scores))
    chances = np.maximum(1.0 / (scores.shape[1] + gamma * (scores[rows, best][:, None] - scores)), floor)
    chances[rows, best] = 0.0  # adds nothing to the others' sum, which is rounded once
    found = chances.tolist()
    for row, at in zip(found, best.tolist(), strict=True):
        row[at] = 1.0 - math.fsum(row)
    return [tuple(row) for row in found]
