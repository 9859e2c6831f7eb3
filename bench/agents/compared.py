"""A worker and its baseline on the same documents: both figures, and their difference, drawn together. Pure."""

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from msgspec import Struct

from bench.agents.figure import Figure
from bench.spread import bootstrapped

T = TypeVar("T")


class Metric(Struct, frozen=True):
    """What a figure says, of which worker, on which data, beside what."""

    worker: str
    name: str
    data: str
    baseline: str
    unit: str = "share"
    better: Literal["higher", "lower"] = "higher"
    asked: str = ""


def compared(
    metric: Metric, ours: Sequence[T], theirs: Sequence[T], of: Callable[[Sequence[T]], float], seed: int, n: int | None = None
) -> Figure:
    """Return a figure; `ours` and `theirs` hold what came of the same documents in the same order, and `of` sums it up."""
    pairs = list(zip(ours, theirs, strict=True))
    return Figure(
        worker=metric.worker,
        metric=metric.name,
        unit=metric.unit,
        better=metric.better,
        value=bootstrapped(ours, of, seed),
        data=metric.data,
        n=len(ours) if n is None else n,
        baseline=metric.baseline,
        baseline_value=bootstrapped(theirs, of, seed),
        asked=metric.asked,
        ahead=bootstrapped(pairs, lambda drawn: of([one for one, _ in drawn]) - of([other for _, other in drawn]), seed),
    )
