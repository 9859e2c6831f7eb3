"""The report as people read it: one line per learner, differences in thousandths."""

import math
from collections.abc import Iterator

from bench.selection.bound import SINGLE
from bench.selection.report import BoundRow, Report, Row, Spread

COLUMNS = (
    "learner",
    "stream",
    "- best single",
    "- default",
    "first 500",
    "worst order",
    "test",
    "test - default",
    "ms p50",
    "p99",
)


def lines(report: Report) -> Iterator[tuple[str, ...]]:
    """Yield the bounds, then the learners."""
    best = report.bounds.get(SINGLE)
    for name, row in report.bounds.items():
        gap = f"{1000 * (row.stream - best.stream):+.1f}" if best else ""
        yield name, f"{row.stream:.4f}", gap, "", "", "", _figure(row.test), "", "", ""
    for name, learner in report.learners.items():
        yield name, *_learner(learner)


def drift_lines(report: Report) -> Iterator[tuple[str, ...]]:
    """Yield what each learner earned around the moment when the best agent began to fail."""
    for name, row in report.learners.items():
        yield name, *(f"{row.blocks[block].mean:.3f}" for block in ("before", "after", "last"))


def cost_lines(report: Report) -> Iterator[tuple[str, ...]]:
    """Yield scores and costs, each as a share of those of the agent whose score is best."""
    score, cost = (float(report.about[figure]) or 1.0 for figure in ("best_score", "best_score_cost"))
    rows: list[tuple[str, BoundRow | Row]] = [*report.bounds.items(), *report.learners.items()]
    for name, row in rows:
        yield name, f"{row.score:.4f}", f"{row.score / score:.1%}", f"{row.cost / cost:.1%}"


def _learner(row: Row) -> tuple[str, ...]:
    return (
        f"{row.stream.mean:.4f}",
        _thousandths(row.over_best),
        _thousandths(row.over_default),
        f"{1000 * row.first:+.1f}",
        f"{1000 * row.worst:+.1f}",
        _figure(row.test.mean),
        _thousandths(row.test_over_default),
        f"{row.ms['p50']:.2f}",
        f"{row.ms['p99']:.2f}",
    )


def _figure(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"


def _thousandths(spread: Spread) -> str:
    if math.isnan(spread.mean):
        return ""
    return f"{1000 * spread.mean:+.1f}" + ("" if math.isnan(spread.half) else f" +-{1000 * spread.half:.1f}")
