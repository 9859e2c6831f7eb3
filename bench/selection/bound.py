"""What a set allows: chance, the best agent, per domain, per task, and learners that were shown every agent's score.

Figures for the stream never use a row's own scores where they learn: kNN leaves the row out, ridge too (by the hat matrix).
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.selection.routing import Routing

Matrix = NDArray[np.float64]
NEIGHBOURS = 160  # what served best in published comparisons on these sizes
RIDGE = 40.0  # docs/decisions/003-context-map.md
_CHUNK = 1000
RANDOM, SINGLE = "random", "best single, in hindsight"
DOMAIN, ORACLE = "best per domain, in hindsight", "best per task, in hindsight"


class Bound(NamedTuple):
    """Whom a rule picks for each row of the stream and of the test (-1: everybody alike)."""

    stream: NDArray[np.intp]
    test: NDArray[np.intp]


def bounds(stream: Routing, test: Routing, rewards: Matrix, test_rewards: Matrix) -> Mapping[str, Bound]:
    """Return what each rule picks; all but the first know every agent's reward on the stream (per task: on the test, too)."""
    best = int(rewards.mean(axis=0).argmax())
    return {
        RANDOM: Bound(np.full(len(stream.keys), -1), np.full(len(test.keys), -1)),
        SINGLE: Bound(np.full(len(stream.keys), best), np.full(len(test.keys), best)),
        DOMAIN: _per_domain(stream, test, rewards, best),
        ORACLE: Bound(rewards.argmax(axis=1), test_rewards.argmax(axis=1)),
        "full information: kNN": Bound(_nearest(stream, None, rewards), _nearest(stream, test, rewards)),
        "full information: ridge": _ridge(stream, test, rewards),
    }


def picked(matrix: Matrix, picks: NDArray[np.intp]) -> float:
    """Return the mean of what the picked agents have in a matrix of rows and agents."""
    everybody = matrix.mean(axis=1)
    return float(np.where(picks < 0, everybody, matrix[np.arange(len(picks)), picks]).mean()) if len(picks) else float("nan")


def _per_domain(stream: Routing, test: Routing, rewards: Matrix, best: int) -> Bound:
    domains = np.array(stream.domains)
    found = {domain: int(rewards[domains == domain].mean(axis=0).argmax()) for domain in set(stream.domains)}
    stream_picks, test_picks = (
        np.array([found.get(one, best) for one in part.domains], dtype=np.intp) for part in (stream, test)
    )
    return Bound(stream_picks, test_picks)


def _nearest(stream: Routing, test: Routing | None, rewards: Matrix) -> NDArray[np.intp]:
    """Return the agent with the best mean among each row's neighbours in the stream, itself left out."""
    asked, count = (stream if test is None else test), min(NEIGHBOURS, len(stream.keys) - 1)
    known, points = _unit(stream.contexts), _unit(asked.contexts)
    picks = []
    for start in range(0, len(points), _CHUNK):
        alike = points[start : start + _CHUNK] @ known.T
        if test is None:
            alike[np.arange(len(alike)), np.arange(start, start + len(alike))] = -np.inf
        near = np.argpartition(-alike, count - 1, axis=1)[:, :count]
        picks.append(rewards[near].mean(axis=1).argmax(axis=1))
    return np.concatenate(picks) if picks else np.zeros(0, dtype=np.intp)


def _ridge(stream: Routing, test: Routing, rewards: Matrix) -> Bound:
    """Regress every agent's reward, around its mean, on the context."""
    means = rewards.mean(axis=0)
    rows = stream.contexts
    inverse = np.linalg.inv(rows.T @ rows + RIDGE * np.eye(rows.shape[1]))
    slopes = inverse @ rows.T @ (rewards - means)
    fitted = rows @ slopes
    lever = np.einsum("ij,jk,ik->i", rows, inverse, rows, optimize=True)[:, None]
    without = (fitted - lever * (rewards - means)) / (1.0 - lever)
    return Bound((without + means).argmax(axis=1), (test.contexts @ slopes + means).argmax(axis=1))


def _unit(rows: Matrix) -> Matrix:
    values = rows[:, :-1]
    lengths = np.sqrt((values * values).sum(axis=1, keepdims=True))
    found: Matrix = values / np.where(lengths == 0.0, 1.0, lengths)
    return found
