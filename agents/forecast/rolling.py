"""Rolling origin: every method is tested on the past, the best one is taken, and its former errors become the interval.

Source: Tashman, Out-of-sample tests of forecasting accuracy, 2000; Vovk et al., Algorithmic Learning in a Random World, 2005
(split conformal); Hyndman and Koehler, Another look at measures of forecast accuracy, 2006.
"""

import math
from typing import Any

import numpy as np
from msgspec import Struct

from agents.forecast.method import Method, MethodFailed, Numbers, continued, looks_ahead, methods, naive
from agents.forecast.series import Series, SeriesRefused
from agents.forecast.thread import one_thread

COVER = 0.9
ORIGINS = 24
LEAST_ORIGINS = 5
_NEWEST = 750  # values that are looked at: time grows with them, and what is older says little of what comes
MOST_HORIZON = 400
COMBINED = "combination"


class Tested(Struct, frozen=True):
    """How one method did: `errors` (origins, horizon) are what was minus what was foretold."""

    method: Method
    errors: Any
    forecasts: Any

    @property
    def miss(self) -> float:
        """Return the mean absolute error."""
        return float(np.abs(self.errors).mean())


def forecast(series: Series, horizon: int, cover: float = COVER) -> dict[str, Any]:
    """Return forecasts with an interval that holds `cover` of what comes, and how the back-test went.

    `scaled_error` is the mean absolute error over that of the seasonal naive forecast, at the same origins and steps.

    Raises:
        SeriesRefused: the series is too short for the horizon, or the best method was caught looking ahead.
    """
    with one_thread():
        return _forecast(series, horizon, cover)


def _forecast(series: Series, horizon: int, cover: float) -> dict[str, Any]:
    """Do it."""
    values = np.array(series.values[-max(_NEWEST, 5 * series.season + 2 * horizon) :])
    origins = origins_of(len(values), horizon, series.season)
    tested = back_test(values, origins, horizon, series.season)
    best = min(tested, key=lambda one: one.miss)
    if best.method.name != COMBINED and looks_ahead(best.method, values, origins[0], horizon):
        raise SeriesRefused("looked_ahead", f"{best.method.name} looked at values that it was to foretell")
    ahead = _ahead(best, tested, values, horizon)
    half = widths(best.errors, cover)
    base = next(one for one in tested if one.method.name == "seasonal_naive").miss
    return {
        "forecast": [
            {"step": step, "value": float(value), "low": float(value - room), "high": float(value + room)}
            for step, value, room in zip(range(1, horizon + 1), ahead, half, strict=True)
        ],
        "coverage": cover,
        "method": best.method.name,
        "season": series.season,
        "scaled_error": best.miss / base if base else None,
        "back_test": {
            "origins": len(origins),
            "mean_absolute_errors": {one.method.name: one.miss for one in sorted(tested, key=lambda one: one.miss)},
        },
    }


def origins_of(count: int, horizon: int, season: int) -> list[int]:
    """Return up to 24 origins, evenly spread over the newer half of a series, each with a whole horizon behind it.

    Raises:
        SeriesRefused: `too_short`.
    """
    first, last = max(count // 2, 2 * season, 12), count - horizon
    if last - first + 1 < LEAST_ORIGINS:
        needed = max(2 * horizon + 2 * LEAST_ORIGINS, 2 * season + horizon + LEAST_ORIGINS)
        wanted = f"a forecast of {horizon} steps with season {season}"
        raise SeriesRefused("too_short", f"{wanted} needs some {needed} values; there are {count}")
    spread = np.linspace(first, last, min(ORIGINS, last - first + 1))
    return sorted({int(origin) for origin in spread})


def back_test(values: Numbers, origins: list[int], horizon: int, season: int) -> list[Tested]:
    """Return how each method did that gets along with the series, and the mean of the three best as one more."""
    truth = np.array([values[origin : origin + horizon] for origin in origins])
    tested = []
    for method in methods(values, season):
        try:
            found = continued(method, values, origins, horizon)
        except MethodFailed:
            continue  # the naive ones never fail, so there is always somebody left
        tested.append(Tested(method, truth - found, found))
    return [*tested, combined(tested, truth)]


def combined(tested: list[Tested], truth: Numbers) -> Tested:
    """Return the mean of the three best methods."""
    mean = np.mean([one.forecasts for one in leading(tested)], axis=0)
    return Tested(Method(COMBINED, naive), truth - mean, mean)


def leading(tested: list[Tested]) -> list[Tested]:
    """Return the three best methods."""
    return sorted((one for one in tested if one.method.name != COMBINED), key=lambda one: one.miss)[:3]


def _ahead(best: Tested, tested: list[Tested], values: Numbers, horizon: int) -> Numbers:
    """Return the forecasts behind the end of the series, with parameters fitted on all of it."""
    paths = []
    for one in leading(tested) if best.method.name == COMBINED else [best]:
        try:
            paths.append(continued(one.method, values, [len(values)], horizon)[0])
        except MethodFailed:
            continue
    if not paths:
        raise SeriesRefused("no_method", f"{best.method.name} could not go on from the end of the series")
    return np.mean(paths, axis=0)


def widths(errors: Numbers, cover: float) -> Numbers:
    """Return half of the interval at each step: the conformal quantile of former errors, each over the usual one of its step.

    `errors` has the shape (origins, horizon). The usual error never shrinks with the step: further ahead is not surer.
    """
    usual = np.maximum.accumulate(_smooth(np.abs(errors).mean(axis=0)))
    usual = np.maximum(usual, max(float(usual.max()) * 1e-6, 1e-300))
    scores = np.sort((np.abs(errors) / usual).ravel())
    # Errors of one origin go together, so there are not as many of them as there are numbers: the level of the origins' count.
    effective = errors.shape[0] * math.sqrt(errors.shape[1])
    level = min(1.0, math.ceil((effective + 1) * cover) / effective)
    return usual * float(np.quantile(scores, level, method="higher"))


def _smooth(usual: Numbers) -> Numbers:
    """Return the mean of each step with its neighbours."""
    padded = np.pad(usual, 1, mode="edge")
    return (padded[:-2] + padded[1:-1] + padded[2:]) / 3
