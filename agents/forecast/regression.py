"""Regression: foretell one column of a table from the others, with an interval, tested on rows that were set aside.

Source: Vovk et al., Algorithmic Learning in a Random World, 2005 (conformal prediction); Barber et al., Predictive inference
with the jackknife+, 2021 (cross-conformal residuals); scikit-learn.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from agents.forecast.reading import number
from agents.forecast.series import SeriesRefused
from agents.forecast.thread import one_thread

LEAST_ROWS = 40
MOST_ROWS = 50_000
MOST_CATEGORIES = 20
FOLDS = 5
_SEED = 11
_LEAK = 0.9999  # of the variance, by one column alone
Numbers = Any


def regress(columns: Mapping[str, list[str]], target: str, cover: float, in_order: bool = False) -> dict[str, Any]:
    """Return predictions with intervals for rows whose target is empty, and how each model did on folds set aside.

    The first row is the oldest where `in_order`: then each fold is foretold from the rows before it only.

    Raises:
        SeriesRefused: no such column, too few rows, a target that is always the same, or a column that gives it away.
    """
    inputs, told = _table(columns, target)
    known = np.array([value is not None for value in told])
    truth = np.array([value for value in told if value is not None], dtype=float)
    _check(truth, target)
    design, names = designed(inputs, known)
    giveaway = [name for name, column in zip(names, design[known].T, strict=True) if _gives_away(column, truth)]
    if giveaway:
        raise SeriesRefused(
            "gives_away", f"the column {giveaway[0]!r} says the target almost exactly; leave it out, or ask for no forecast"
        )
    folds = folds_of(len(truth), in_order)
    made = models()
    with one_thread():
        errors = {name: _out_of_fold(make, design[known], truth, folds) for name, make in made.items()}
    misses = {name: float(np.abs(error).mean()) for name, error in errors.items()}
    best = min(misses, key=lambda name: misses[name])
    half = quantile(np.abs(errors[best]), cover)
    with one_thread():
        ahead = made[best]().fit(design[known], truth).predict(design[~known]) if (~known).any() else np.array([])
    rows = [place + 1 for place, there in enumerate(known) if not there]
    return {
        "predictions": [
            {"row": row, "value": float(value), "low": float(value - half), "high": float(value + half)}
            for row, value in zip(rows, ahead, strict=True)
        ],
        "coverage": cover,
        "model": best,
        "scaled_error": misses[best] / misses["mean"] if misses["mean"] else None,
        "back_test": {"rows": len(errors[best]), "mean_absolute_errors": misses, "covered": covered(np.abs(errors[best]), cover)},
    }


def models() -> dict[str, Any]:
    """Return what makes each model, the mean first, which the others are held against."""
    from sklearn.dummy import DummyRegressor
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return {
        "mean": DummyRegressor,
        "linear": lambda: make_pipeline(StandardScaler(), RidgeCV(alphas=(1e-3, 1e-1, 1, 10, 100))),
        "boosted": lambda: GradientBoostingRegressor(
            n_estimators=150, max_depth=3, learning_rate=0.06, subsample=0.7, loss="huber", random_state=_SEED
        ),
    }


def _table(columns: Mapping[str, list[str]], target: str) -> tuple[dict[str, list[str]], list[float | None]]:
    """Return the other columns, and the target's values (None where the cell is empty)."""
    if target not in columns:
        raise SeriesRefused("no_column", f"there is no column {target[:60]!r}; there are {', '.join(columns)[:200]}")
    cells = columns[target]
    told = [number(cell) for cell in cells]
    strange = next((place for place, (cell, value) in enumerate(zip(cells, told, strict=True)) if cell and value is None), None)
    if strange is not None:
        raise SeriesRefused("no_numbers", f"row {strange + 1} of {target} is {cells[strange][:40]!r}, which is no number")
    return {name: column for name, column in columns.items() if name != target}, told


def _check(truth: Numbers, target: str) -> None:
    """Refuse a target that cannot be learned."""
    if not LEAST_ROWS <= len(truth) <= MOST_ROWS:
        raise SeriesRefused("too_short", f"{LEAST_ROWS} to {MOST_ROWS} rows with a {target} are needed; there are {len(truth)}")
    if truth.min() == truth.max():
        raise SeriesRefused("constant", f"{target} is always {truth[0]:g}, so there is nothing to learn from")
    if np.abs(truth).max() > 1e100:
        raise SeriesRefused("too_big", f"{target} must lie between -1e100 and 1e100")


def designed(inputs: Mapping[str, list[str]], known: Numbers) -> tuple[Numbers, list[str]]:
    """Return the inputs as numbers of shape (rows, features), and the column that each feature is made of.

    A column of numbers stays one, with its median for empty cells; of any other, each frequent text is a feature of its own. Both
    are taken from rows whose target is known.

    Raises:
        SeriesRefused: there is no input.
    """
    made: list[Numbers] = []
    names: list[str] = []
    for name, cells in inputs.items():
        found = _numeric(cells, known)
        features = found if found is not None else _frequent(cells, known)
        made += features
        names += [name] * len(features)
    if not made:
        raise SeriesRefused("no_column", "no other column says anything about the target")
    return np.column_stack(made), names


def _numeric(cells: list[str], known: Numbers) -> list[Numbers] | None:
    """Return a column of numbers; None if it holds anything else."""
    values = [number(cell) for cell in cells]
    if any(cell and (value is None or abs(value) > 1e30) for cell, value in zip(cells, values, strict=True)):
        return None
    column = np.array([np.nan if value is None else value for value in values])
    usual = column[known & ~np.isnan(column)]
    if not len(usual) or usual.min() == usual.max():
        return []
    return [np.where(np.isnan(column), np.median(usual), column)]


def _frequent(cells: list[str], known: Numbers) -> list[Numbers]:
    """Return one feature for each of the most frequent texts that come at least twice."""
    texts, counts = np.unique(np.array(cells)[known], return_counts=True)
    order = sorted(zip(-counts, texts, strict=True))
    return [np.array([float(cell == text) for cell in cells]) for count, text in order[:MOST_CATEGORIES] if -count >= 2]


def _gives_away(column: Numbers, truth: Numbers) -> bool:
    """Say whether a column alone foretells nearly all of the target."""
    if column.min() == column.max():
        return False
    return float(np.corrcoef(column, truth)[0, 1] ** 2) > _LEAK


def folds_of(count: int, in_order: bool) -> list[tuple[Numbers, Numbers]]:
    """Return pairs of rows to learn from and rows to foretell."""
    if not in_order:
        parts = np.array_split(np.random.default_rng(_SEED).permutation(count), FOLDS)
        return [(np.concatenate([other for other in parts if other is not part]), part) for part in parts]
    parts = np.array_split(np.arange(count), FOLDS + 1)
    return [(np.arange(part[0]), part) for part in parts[1:]]


def _out_of_fold(make: Any, design: Numbers, truth: Numbers, folds: list[tuple[Numbers, Numbers]]) -> Numbers:
    """Return what was minus what was foretold for every row that was set aside once."""
    return np.concatenate([truth[away] - make().fit(design[learn], truth[learn]).predict(design[away]) for learn, away in folds])


def quantile(errors: Numbers, cover: float) -> float:
    """Return the error that so many new ones will not exceed: the conformal quantile."""
    place = min(len(errors), math.ceil((len(errors) + 1) * cover))
    return float(np.sort(errors)[place - 1])


def covered(errors: Numbers, cover: float) -> float:
    """Return the part of one half of the errors that the quantile of the other half holds, both ways."""
    first, second = errors[::2], errors[1::2]
    return float(((second <= quantile(first, cover)).mean() + (first <= quantile(second, cover)).mean()) / 2)
