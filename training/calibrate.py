"""Probabilities that mean what they say: two numbers per target, fitted on rows that the network was not fitted on.

Platt 1999: the logit z becomes a z + b, which are those of the least cross entropy (Newton's method), held near (1, 0) by a
penalty worth a few rows, so that few rows, or rows that all came out alike, change little.
"""

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
PENALTY = 4.0
_ROUNDS = 50


def platt(logits: Vector, targets: Vector) -> tuple[float, float]:
    """Return scale and shift for logits (n,) whose targets lie in [0, 1]; none at all leave them as they are."""
    seen = np.stack([logits, np.ones_like(logits)], axis=1)
    found, start = np.array([1.0, 0.0]), np.array([1.0, 0.0])
    for _ in range(_ROUNDS):
        told = 1.0 / (1.0 + np.exp(-np.clip(seen @ found, -40.0, 40.0)))
        slope = seen.T @ (told - targets) + PENALTY * (found - start)
        bend = (seen * (told * (1.0 - told))[:, None]).T @ seen + PENALTY * np.eye(2)
        step = np.linalg.solve(bend, slope)
        found = found - step
        if float(np.abs(step).max()) < 1e-10:
            break
    return float(found[0]), float(found[1])
