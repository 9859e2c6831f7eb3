"""The figures of a report under names of their own, for whoever reads the file with a program: each beside its interval.

The names stand for the default policy; `policies` and `peers` hold the same ones for everybody else. An interval is [low, high],
95 %, over the orders; null where there is a single order. What a set allows is the same in every order, unless something drifts.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.selection.course import Course, Order
from bench.selection.peer import PEERS
from bench.selection.report import START, Report, Row, Spread
from bench.selection.routing import Routing

Matrix = NDArray[np.float64]


def figures(report: Report, allowed: Mapping[str, Spread]) -> dict[str, Any]:
    """Return every figure by its name; `allowed` are those of the set."""
    told = {label: _of(row, report) for label, row in report.learners.items()}
    default, *others = told
    peers = [label for label in others if label in {peer.label for peer in PEERS}]
    return {
        **told[default],
        **_beside(allowed),
        "extra_calls": report.about["extra_calls"],
        "extra_cost": report.about["extra_cost"],
        "policies": {label: told[label] for label in others if label not in peers},
        "peers": {label: told[label] for label in peers},
    }


def limits(course: Course, seeds: int) -> dict[str, Spread]:
    """Return what chance, the best agent, the best per domain and the best per task earn on the stream, over its orders."""
    orders = range(seeds) if course.drift else range(1)
    streams = [course.stream.rows(Order.of(seed, len(course.stream.keys), len(course.stream.agents)).rows) for seed in orders]
    met = [(course.met(stream), stream) for stream in streams]
    found = {name: [earned(rewards, stream) for rewards, stream in met] for name, earned in _ALLOWED.items()}
    return {name: Spread.of(values) if course.drift else Spread(values[0], 0.0) for name, values in found.items()}


def _of(row: Row, report: Report) -> dict[str, Any]:
    """Return a learner's figures."""
    spreads = {
        "stream_mean": row.stream,
        "first500_mean": row.first_mean,
        "test_mean": row.test,
        "over_best_single": row.over_best,
        "learn_choose_ms_p99": row.ms_p99,
    }
    if report.about["drift"]:
        names = {"before": f"before{START}_mean", "after": f"next{START}_mean", "last": f"last{START}_mean"}
        spreads |= {name: row.blocks[block] for block, name in names.items()}
    return {**_beside(spreads), "worst_order": row.worst, **(_shares(row, report) if report.about["costs"] else {})}


def _shares(row: Row, report: Report) -> dict[str, float]:
    """Return score and cost as shares of those of the agent whose score is best."""
    score, cost = (float(report.about[figure]) or 1.0 for figure in ("best_score", "best_score_cost"))
    return {"score_share": row.score / score, "cost_share": row.cost / cost}


def _beside(spreads: Mapping[str, Spread]) -> dict[str, Any]:
    """Return each mean, and its interval under `<name>_ci`; nothing where nothing was measured."""
    named = [(name, one) for name, one in spreads.items() if not np.isnan(one.mean)]
    means = {name: one.mean for name, one in named}
    return means | {f"{name}_ci": None if np.isnan(one.half) else one.interval for name, one in named}


def _per_domain(rewards: Matrix, stream: Routing) -> float:
    domains = np.array(stream.domains)
    return float(sum(rewards[domains == one].sum(axis=0).max() for one in set(stream.domains)) / len(rewards))


_ALLOWED: dict[str, Callable[[Matrix, Routing], float]] = {
    "random": lambda rewards, _: float(rewards.mean()),
    "best_single": lambda rewards, _: float(rewards.mean(axis=0).max()),
    "per_domain": _per_domain,
    "oracle": lambda rewards, _: float(rewards.max(axis=1).mean()),
}
