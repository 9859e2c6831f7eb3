"""Figures that mean what they say: fitted on rows that the network was not fitted on.

Chances, two numbers per target:

Platt 1999: the logit z becomes a z + b, which are those of the least cross entropy (Newton's method), held near (1, 0) by a
penalty worth a few rows, so that few rows, or rows that all came out alike, change little.

Times, a span around what is told: split conformal quantiles of what was missed, below and above each by itself (Vovk et al. 2005;
Romano et al. 2019), so that it holds the share whatever the network is worth, as long as later attempts are like these.
"""

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
PENALTY = 4.0
SPANNED = 0.9  # share of attempts whose time is to lie within the span that is told
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


def span(missed: Vector, share: float = SPANNED) -> tuple[float, float] | None:
    """Return what to add to what is told for the two ends of the span; `missed` (n,) are came less told.

    None where too few are known to leave out anybody at either end.
    """
    beside = (1.0 - share) / 2.0
    place = int((len(missed) + 1) * beside + 1e-9)
    if place < 1:
        return None
    ordered = np.sort(missed)
    return float(ordered[place - 1]), float(ordered[len(missed) - place])
