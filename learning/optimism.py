"""Clipped Thompson sampling whose probabilities are exact: the share of fixed draws that each agent wins.

An agent's value under draw j is mean_a + s_a min(z_ja, c_a): it may look much worse than it is held to be, but not much
better, and the less so the more often it was tried. The draws are fixed for ever, so nothing is estimated and a recorded
probability can be recomputed. s_a = sqrt(.2 / (n_a + l)), c_a^2 = max(0, ln(4 t / (K (n_a + l)))) + .2 with n_a
examples of the agent, t of all, K candidates, l the examples' worth of trust in what agents have in common.
There are TURNS sets of draws, whose quantiles interleave: whoever takes one after the other keeps small chances, which a
single set loses.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from learning.special import normal_quantile

Vector = NDArray[np.float64]
Rows = NDArray[np.intp]
DRAWS = 256
NOISE = 0.2  # variance of a reward around its mean
TURNS = 16  # sets of draws; the first is the one that stands alone
_SEED = 20
_UNCLIPPED = 0.2
_MANY, _FEW = 64, 16  # candidates above which it pays to look first who can win at all, and by how many that is judged


def shares(means: Vector, deviations: Vector, clips: Vector, turn: int = 0) -> Vector:
    """Return for each row of means the share of a set of draws in which each candidate is valued most; ties go to the first."""
    candidates = means.shape[1]
    draws = fixed_draws(candidates, turn)
    if candidates <= _MANY:
        return _won(means, deviations * np.minimum(draws, clips))
    rivals, found = _rivals(means, deviations, clips, draws), np.zeros(means.shape)
    found[:, rivals] = _won(means.take(rivals, axis=1), _noise(rivals, draws, deviations, clips))
    return found


def _won(means: Vector, noise: Vector) -> Vector:
    """Return the shares where the draws add this noise, a row for each draw."""
    found, values = np.empty(means.shape), np.empty_like(noise)
    for row, text in zip(found, means, strict=True):
        row[:] = np.bincount(np.add(text, noise, out=values).argmax(axis=1), minlength=len(text))
    return found / DRAWS


def _rivals(means: Vector, deviations: Vector, clips: Vector, draws: Vector) -> Rows:
    """Return all who could be valued most in any draw on any text: those whose best value is not below what somebody always has.

    Rounding keeps the order of what is rounded, so nobody who is left out could be first, or tie with whoever is.
    """
    few = np.unique(np.argpartition(means, -_FEW, axis=1)[:, -_FEW:])
    noise = np.ascontiguousarray(_noise(few, draws, deviations, clips).T)  # a row each, so that maxima are whole rows'
    always = np.array([(level[:, None] + noise).max(axis=0).min() for level in means.take(few, axis=1)])
    best = means + deviations * np.minimum(draws.max(), clips)
    return np.flatnonzero((best >= always[:, None]).any(axis=0))


def _noise(some: Rows, draws: Vector, deviations: Vector, clips: Vector) -> Vector:
    """Return what the draws add to some candidates' means, one column each."""
    return deviations.take(some) * np.minimum(draws.take(some, axis=1), clips.take(some))


def clips(counts: Vector, trust: float, total: float, candidates: int, release: float) -> Vector:
    """Return c_a per candidate; `release` > 0 lets the clip go by t / release (for after a calibration)."""
    room = np.log(4.0 * max(total, 1.0) / (candidates * (counts + trust)))
    loose = total / release if release > 0.0 else 0.0
    return np.sqrt(np.maximum(room, 0.0) + _UNCLIPPED + loose)


@lru_cache(maxsize=512)
def fixed_draws(candidates: int, turn: int = 0) -> Vector:
    """Return a set of draws, one column a candidate: the same 256 normal quantiles, each column in an order of its own."""
    raw = np.random.PCG64(_SEED + turn).random_raw((candidates, DRAWS))  # column k is the same whatever the number of candidates
    columns: Vector = _quantiles(turn)[np.argsort(raw, axis=1, kind="stable")].T
    return np.ascontiguousarray(columns)


@lru_cache(maxsize=TURNS)
def _quantiles(turn: int) -> Vector:
    """Return the normal quantiles of a set, which take milliseconds; they are the same for any number of candidates."""
    offset = (0.5 + turn / TURNS) % 1.0
    return np.array([_quantile((number + (offset or 0.5 / TURNS)) / DRAWS) for number in range(DRAWS)])


def _quantile(share: float) -> float:
    """Return the normal quantile of a share."""
    return normal_quantile(2.0 * share - 1.0) if share > 0.5 else -normal_quantile(1.0 - 2.0 * share)
