"""What is measured of `three_signals`: variants paired over orders, memory where texts come again, rank where an agent fails."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import msgspec
import numpy as np

from bench.selection.course import Course, Pass, replay
from bench.selection.learner import Entry
from bench.selection.rank import Rank, rank
from bench.selection.recurring import Recurring, Trials, trials
from bench.selection.report import Row, Spread, rows_of
from bench.selection.variant import FIXED, LEARNED, NO_MEMORY, variants
from smolit.cli import out

BESIDE = (Entry("ridge_igw", "ridge_igw"), Entry("joint_thompson", "joint_thompson"))
MINUS = "learned weights minus "  # what follows is another learner's label


class Ablated(msgspec.Struct, frozen=True):
    """One variant: its row, whose differences are against learned weights, and the weights at the end, in the mean."""

    row: Row
    weights: dict[str, float]


class Saved(msgspec.Struct, frozen=True):
    """Texts that come again: each learner, and what learned weights do beyond it, for each figure of `Trials`."""

    until_proven: dict[str, Spread]
    failed: dict[str, Spread]
    reward: dict[str, Spread]


class Fallen(msgspec.Struct, frozen=True):
    """Orders in which the failing agent had a rank; how many of them it lost and had back, after how many tasks, tries of it.

    Tasks and tries are the tenth, the half and nine tenths of those in which it happened.
    """

    orders: int
    lost: int
    tasks: tuple[float, ...]
    regained: int
    tasks_back: tuple[float, ...]
    tries_back: tuple[float, ...]


def ablated(course: Course, seeds: Sequence[int], jobs: int) -> dict[str, Ablated]:
    """Return every variant on the same orders."""
    entries = variants()
    passes: dict[str, list[Pass]] = _each(replay, course, entries, seeds, jobs)
    rows = rows_of(passes, LEARNED.label)
    return {label: Ablated(rows[label], _mean([one.weights for one in found])) for label, found in passes.items()}


def saved(recurring: Recurring, seeds: Sequence[int], jobs: int) -> Saved:
    """Return what memory saves where texts come again."""
    found: dict[str, list[Trials]] = _each(trials, recurring, (LEARNED, NO_MEMORY, FIXED), seeds, jobs)
    return Saved(*(_beside(found, figure) for figure in Trials._fields))


def fallen(course: Course, seeds: Sequence[int], jobs: int) -> dict[str, Fallen]:
    """Return how soon an agent that fails loses its rank, by policy."""
    found: dict[str, list[Rank]] = _each(rank, course, (LEARNED, FIXED, *BESIDE), seeds, jobs)
    return {label: _fallen(ranks) for label, ranks in found.items()}


def _each(
    measured: Callable[[Any, Entry, int], Any], what: object, entries: Sequence[Entry], seeds: Sequence[int], jobs: int
) -> dict[str, list[Any]]:
    """Measure every entry in every order; by label, in the order of the seeds."""
    wanted = [(entry, seed) for seed in seeds for entry in entries]
    found: dict[str, list[Any]] = {entry.label: [] for entry in entries}
    arguments = ([what] * len(wanted), [entry for entry, _ in wanted], [seed for _, seed in wanted])
    with out.progress(len(wanted)) as shown, ProcessPoolExecutor(jobs) as workers:
        ticking = shown.add_task(measured.__name__, total=len(wanted))
        passes: Iterable[Any] = map(measured, *arguments) if jobs == 1 else workers.map(measured, *arguments)
        for (entry, _), one in zip(wanted, passes, strict=True):
            found[entry.label].append(one)
            shown.advance(ticking)
    return found


def _beside(found: dict[str, list[Trials]], figure: str) -> dict[str, Spread]:
    values = {label: [float(getattr(one, figure)) for one in each] for label, each in found.items()}
    spreads = {label: Spread.of(each) for label, each in values.items()}
    others = {MINUS + label: Spread.of(values[LEARNED.label], each) for label, each in values.items() if label != LEARNED.label}
    return {**spreads, **others}


def _fallen(ranks: Sequence[Rank]) -> Fallen:
    fell = [one for one in ranks if one.ranked]
    lost = [one.lost for one in fell if one.lost is not None]
    back = [one for one in fell if one.regained is not None]
    return Fallen(
        orders=len(fell),
        lost=len(lost),
        tasks=_spread(lost),
        regained=len(back),
        tasks_back=_spread([one.regained for one in back if one.regained is not None]),
        tries_back=_spread([one.tries for one in back if one.tries is not None]),
    )


def _spread(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(one) for one in np.quantile(values, [0.1, 0.5, 0.9])) if values else ()


def _mean(weights: Sequence[dict[str, float] | Any]) -> dict[str, float]:
    return {name: float(np.mean([one[name] for one in weights])) for name in weights[0]}
