"""How much each of several predictions is worth: weights, none negative, by which they add up best to what came (Breiman 1996).

r - level = sum_k w_k f_k + noise; w_k ~ N(start_k, 1 / precision), cut off at zero; a signal that starts at zero stays there.
Solved exactly by elimination, without a library: first with all signals, less whichever is most negative, as long as one is;
where that is not the minimum (a signal that was let go would help), over all sets of signals.
"""

from collections.abc import Sequence
from itertools import combinations

Row = list[float]
_NOTHING = 1e-12


def weights(products: Sequence[Row], told: Row, start: Sequence[float], precision: float) -> Row:
    """Return the weights for these sums over outcomes: products of signals (k, k), and of each with what came (k,)."""
    rows = [[*row, 0.0] for row in products]
    for at, row in enumerate(rows):
        row[at] += precision
        row[-1] = told[at] + precision * start[at]
    free = [at for at, weight in enumerate(start) if weight > 0.0]
    found = _dropped(rows, free)
    if found is None:
        found = _least(rows, free)
    return [found.get(at, 0.0) for at in range(len(start))]


def _dropped(rows: Sequence[Row], free: Sequence[int]) -> dict[int, float] | None:
    """Return the weights once none is negative; None if a signal that was let go would help."""
    some = list(free)
    while some:
        found = _solved(rows, some)
        worst = min(some, key=found.__getitem__)
        if found[worst] >= 0.0:
            return found if all(_pull(rows, found, at) <= _NOTHING for at in free if at not in found) else None
        some.remove(worst)
    return None


def _least(rows: Sequence[Row], free: Sequence[int]) -> dict[int, float]:
    """Return the best of all sets of signals whose weights are not negative."""
    best: dict[int, float] = {}
    least = 0.0
    for some in (each for size in range(1, len(free) + 1) for each in combinations(free, size)):
        found = _solved(rows, some)
        loss = -sum(weight * rows[at][-1] for at, weight in found.items())  # at its minimum over these
        if min(found.values()) >= 0.0 and loss < least:
            best, least = found, loss
    return best


def _pull(rows: Sequence[Row], found: dict[int, float], at: int) -> float:
    """Return how fast the loss would fall if a signal that has no weight had a little."""
    return rows[at][-1] - sum(rows[at][to] * weight for to, weight in found.items())


def _solved(rows: Sequence[Row], some: Sequence[int]) -> dict[int, float]:
    """Solve a positive definite system over some of its unknowns; the right side is last in each row."""
    left = [[*(rows[at][to] for to in some), rows[at][-1]] for at in some]
    for at, row in enumerate(left):
        for other in left[at + 1 :]:
            factor = other[at] / row[at]
            for to in range(at, len(row)):
                other[to] -= factor * row[to]
    found: Row = [0.0] * len(some)
    for at in reversed(range(len(some))):
        row = left[at]
        found[at] = (row[-1] - sum(row[to] * found[to] for to in range(at + 1, len(some)))) / row[at]
    return dict(zip(some, found, strict=True))
