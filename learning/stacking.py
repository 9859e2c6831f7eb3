"""How much each of several predictions is worth: weights, none negative, by which they add up best to what came (Breiman 1996).

r - level = sum_k w_k f_k + noise; w_k ~ N(start_k, 1 / precision), cut off at zero; a signal that starts at zero stays there.
The least loss over all sets of signals that may have a weight above zero, each solved by elimination: exact, without a library.
"""

from collections.abc import Sequence
from itertools import combinations

Row = list[float]


def weights(products: Sequence[Row], told: Row, start: Sequence[float], precision: float) -> Row:
    """Return the weights for these sums over outcomes: products of signals (k, k), and of each with what came (k,)."""
    free = [at for at, weight in enumerate(start) if weight > 0.0]
    rows = [[value + precision * (at == to) for to, value in enumerate(row)] for at, row in enumerate(products)]
    wanted = [value + precision * weight for value, weight in zip(told, start, strict=True)]
    best, least = [0.0] * len(start), float("inf")
    for some in (each for size in range(len(free), 0, -1) for each in combinations(free, size)):
        found = _solved([[*(rows[at][to] for to in some), wanted[at]] for at in some])
        loss = -sum(weight * wanted[at] for weight, at in zip(found, some, strict=True))  # at its minimum over these
        if min(found) >= 0.0 and loss < least:
            best, least = _spread(found, some, len(start)), loss
            if len(some) == len(free):
                break
    return best


def _spread(found: Row, some: Sequence[int], count: int) -> Row:
    whole = [0.0] * count
    for at, weight in zip(some, found, strict=True):
        whole[at] = weight
    return whole


def _solved(rows: list[Row]) -> Row:
    """Solve a positive definite system, its right side behind it in each row."""
    for at, pivot in enumerate(rows):
        pivot[:] = [value / pivot[at] for value in pivot]
        for other in rows[:at] + rows[at + 1 :]:
            factor = other[at]
            other[:] = [value - factor * taken for value, taken in zip(other, pivot, strict=True)]
    return [row[-1] for row in rows]
