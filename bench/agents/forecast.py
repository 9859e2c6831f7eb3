"""Forecast and regression on real series and tables: error against the naive ones, and how often the interval held.

The worker sees what lies before an outer origin (or the rows that are not set aside), chooses and makes its interval from that
alone, and is judged by what came. Intervals of figures: bootstrap over series, or over tables and splits.
"""

import math
import random
from collections.abc import Sequence

from msgspec import Struct

from agents.forecast.regression import regress
from agents.forecast.rolling import forecast
from agents.forecast.series import SeriesRefused, series_of
from bench.agents.figure import Figure
from bench.agents.real import SOURCE, Told, all_series, tables
from bench.agents.share import share
from bench.spread import bootstrapped

WORKER = "forecast"
ORIGINS = 6
SPLITS = 3


class Judged(Struct, frozen=True):
    """How one series, or one split of a table, went: mean absolute errors of worker and baseline, values held, and values."""

    name: str
    miss: float
    base: float
    held: int
    count: int


def judge(told: Told, origins: int) -> Judged:
    """Return how the worker does on a series at origins spread over its last part."""
    first, last = max(len(told.values) * 2 // 3, 40), len(told.values) - told.horizon
    places = sorted({first + (last - first) * turn // max(1, origins - 1) for turn in range(origins)})
    miss = base = 0.0
    held = count = 0
    for place in places:
        truth = told.values[place : place + told.horizon]
        said = forecast(series_of(told.values[:place], season=told.season), told.horizon)["forecast"]
        season = told.season
        naive = [told.values[place - season + step % season] for step in range(told.horizon)]
        miss += sum(abs(one["value"] - true) for one, true in zip(said, truth, strict=True))
        base += sum(abs(one - true) for one, true in zip(naive, truth, strict=True))
        held += sum(one["low"] <= true <= one["high"] for one, true in zip(said, truth, strict=True))
        count += len(truth)
    return Judged(told.name, miss / count, base / count, held, count)


def judge_table(name: str, columns: dict[str, list[str]], target: str, rng: random.Random) -> Judged:
    """Return how the worker does on a table of which a fifth of the rows have lost their target."""
    count = len(columns[target])
    away = sorted(rng.sample(range(count), count // 5))
    hidden = set(away)
    cells = {**columns, target: ["" if row in hidden else cell for row, cell in enumerate(columns[target])]}
    truth = [float(columns[target][row]) for row in away]
    mean = sum(float(cell) for cell in cells[target] if cell) / (count - len(away))
    said = regress(cells, target, 0.9)["predictions"]
    held = sum(one["low"] <= true <= one["high"] for one, true in zip(said, truth, strict=True))
    miss = sum(abs(one["value"] - true) for one, true in zip(said, truth, strict=True)) / len(truth)
    return Judged(name, miss, sum(abs(true - mean) for true in truth) / len(truth), held, len(truth))


def ratio(judged: Sequence[Judged]) -> float:
    """Return the geometric mean of errors over those of the baseline."""
    return math.exp(sum(math.log(one.miss / one.base) for one in judged) / len(judged))


def coverage(judged: Sequence[Judged]) -> float:
    """Return the part of values that lay in their interval, each series counting alike."""
    return sum(one.held / one.count for one in judged) / len(judged)


def refusals() -> tuple[int, int]:
    """Return how many broken variants of each real series are refused, and how many there are."""
    tried = refused = 0
    for told in all_series():
        values = list(told.values)
        gap: list[float | None] = [*values]
        gap[len(gap) // 2] = None
        for broken in (values[:20], [values[0]] * 60, gap, [*values[:40], math.nan]):
            tried += 1
            try:
                series_of(broken)
            except SeriesRefused:
                refused += 1
    return refused, tried


def measure(seed: int, origins: int = ORIGINS) -> list[Figure]:
    """Return the figures; minutes of processor time."""
    series = [judge(told, origins) for told in all_series()]
    rng = random.Random(seed)
    split = [judge_table(name, *table, rng) for name, table in tables().items() for _ in range(SPLITS)]
    refused, tried = refusals()
    points, cells = sum(one.count for one in series), sum(one.count for one in split)
    named = f"{len(series)} real series, {origins} outer origins each, {SOURCE}"
    rows = f"{len(tables())} real tables, {SPLITS} splits each, {SOURCE}"
    said = share([turn < refused for turn in range(tried)], seed)
    return [
        Figure(
            WORKER,
            "scaled_error",
            "error / error of the seasonal naive forecast",
            "lower",
            bootstrapped(series, ratio, seed),
            named,
            points,
            "seasonal naive",
            bootstrapped(series, lambda _: 1.0, seed),
            "< 1",
        ),
        Figure(
            WORKER,
            "coverage",
            "share of values",
            "higher",
            bootstrapped(series, coverage, seed),
            named,
            points,
            asked="0.85 to 0.95",
        ),
        Figure(WORKER, "refused", "share of broken series", "higher", said, named, tried, asked="1"),
        Figure(
            "regression",
            "scaled_error",
            "error / error of the mean",
            "lower",
            bootstrapped(split, ratio, seed),
            rows,
            cells,
            "mean",
            bootstrapped(split, lambda _: 1.0, seed),
            "< 1",
        ),
        Figure(
            "regression",
            "coverage",
            "share of values",
            "higher",
            bootstrapped(split, coverage, seed),
            rows,
            cells,
            asked="0.85 to 0.95",
        ),
    ]


if __name__ == "__main__":
    for figure in measure(1):
        base = f", {figure.baseline}: {figure.baseline_value.told}" if figure.baseline_value else ""
        print(f"{figure.worker} {figure.metric}: {figure.value.told} ({figure.unit}; n {figure.n}{base}; asked {figure.asked})")
