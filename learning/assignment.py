"""Which variant of an experiment a unit belongs to, for as long as the weights stand."""

import hashlib
import math
from collections.abc import Sequence

from learning.draw import unit_float
from learning.errors import InvalidAssignment


def assign(salt: str, unit: str, weights: Sequence[tuple[str, float]]) -> str:
    """Return the unit's variant: the same for ever for the same salt, unit and weights, in shares as the weights.

    Weights need not sum to one; a variant of weight zero gets nobody. Another salt gives an unrelated assignment.
    The variants' order plays no part, and raising one variant's weight (or adding one) only moves units *to* it,
    lowering it (or removing it) only moves units *away* from it: exactly the change of its share, the least possible.
    Source: weighted rendezvous hashing, Thaler & Ravishankar 1998, with the logarithmic weighting of
    Schindelhauer & Schomaker 2005. Raises InvalidAssignment.
    """
    _check(weights)
    _, variant = min((_distance(salt, unit, variant, weight), variant) for variant, weight in weights if weight > 0.0)
    return variant


def _distance(salt: str, unit: str, variant: str, weight: float) -> float:
    """Return an exponential waiting time of rate `weight`: the first to arrive wins with its share of the rates."""
    return -math.log1p(-_point(salt, unit, variant)) / weight


def _point(salt: str, unit: str, variant: str) -> float:
    """Hash to [0, 1); each part is preceded by its length, so no two triples read alike."""
    code = hashlib.sha256()
    for part in (salt, unit, variant):
        encoded = part.encode("utf-8")
        code.update(len(encoded).to_bytes(8, "big") + encoded)
    return unit_float(code.digest())


def _check(weights: Sequence[tuple[str, float]]) -> None:
    names = [variant for variant, _ in weights]
    if len(set(names)) != len(names):
        raise InvalidAssignment(f"a variant is listed twice: {', '.join(names)}")
    if not all(math.isfinite(weight) and weight >= 0.0 for _, weight in weights):
        raise InvalidAssignment("a weight is negative or not finite")
    if not any(weight > 0.0 for _, weight in weights):
        raise InvalidAssignment("no variant has a positive weight")
