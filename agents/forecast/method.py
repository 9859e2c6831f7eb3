"""Methods that continue a series. Each is asked for forecasts at several origins, and may look only at what lies before each.

Parameters are fitted on what lies before the first origin, and the state is carried on from there, so no origin knows later
values, and a back-test costs one fit. `looks_ahead` finds out who does not keep to that.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

MOST_SEASON = 24  # beyond, seasonal models take minutes to fit
_FIT_ON = 400  # values: parameters are fitted on the newest ones only
_ITERATIONS = 60
_SEED = 20_240_229

Numbers = Any  # a numpy array of floats
Path = Callable[[Numbers, Sequence[int], int], Numbers]


class Method(Struct, frozen=True):
    """One method: `path(values, origins, horizon)` returns forecasts of shape (origins, horizon)."""

    name: str
    path: Path


class MethodFailed(Exception):
    """A method cannot continue this series."""


def naive(values: Numbers, origins: Sequence[int], horizon: int) -> Numbers:
    """Repeat the last value."""
    return np.array([[values[origin - 1]] * horizon for origin in origins])


def seasonal_naive(season: int) -> Path:
    """Return what repeats the last cycle."""

    def path(values: Numbers, origins: Sequence[int], horizon: int) -> Numbers:
        return np.array([[values[origin - season + step % season] for step in range(horizon)] for origin in origins])

    return path


def drift(values: Numbers, origins: Sequence[int], horizon: int) -> Numbers:
    """Go on from the last value with the mean step of all before."""
    steps = np.arange(1, horizon + 1)
    return np.array([values[origin - 1] + steps * (values[origin - 1] - values[0]) / (origin - 1) for origin in origins])


def exponential(trend: bool, season: int) -> Path:
    """Return exponential smoothing with additive errors: level, damped trend, and a season if it is more than 1.

    Source: Hyndman et al., Forecasting with Exponential Smoothing, 2008; statsmodels' ETSModel.
    """

    def model(values: Numbers) -> Any:
        from statsmodels.tsa.exponential_smoothing.ets import ETSModel

        seasonal = {"seasonal": "add", "seasonal_periods": season} if season > 1 else {}
        return ETSModel(values, error="add", trend="add" if trend else None, damped_trend=trend, **seasonal)

    def path(values: Numbers, origins: Sequence[int], horizon: int) -> Numbers:
        fitted = model(values[: origins[0]][-_FIT_ON:]).fit(disp=False, maxiter=_ITERATIONS)
        begin = max(0, origins[0] - _FIT_ON)
        return np.array([model(values[begin:origin]).smooth(fitted.params).forecast(horizon) for origin in origins])

    return path


def arima(order: tuple[int, int, int], seasonal: tuple[int, int, int], season: int) -> Path:
    """Return an ARIMA with these orders, and those of its season.

    Source: Box and Jenkins, Time Series Analysis, 1970; statsmodels' SARIMAX.
    """

    def path(values: Numbers, origins: Sequence[int], horizon: int) -> Numbers:
        from statsmodels.tsa.statespace.sarimax import SARIMAX

        begin = max(0, origins[0] - _FIT_ON)
        cycle = (*seasonal, season) if season > 1 else (0, 0, 0, 0)
        trend = "c" if order[1] == 0 and seasonal[1] == 0 else "n"
        state = SARIMAX(values[begin : origins[0]], order=order, seasonal_order=cycle, trend=trend)
        fitted = state.fit(disp=False, maxiter=_ITERATIONS)
        rows, known = [], origins[0]
        for origin in origins:
            fitted = fitted.append(values[known:origin], refit=False) if origin > known else fitted
            rows.append(fitted.forecast(horizon))
            known = origin
        return np.array(rows)

    return path


def autoregressive(most: int) -> Path:
    """Return a regression on up to `most` former values, least squares, as many as Akaike's criterion takes.

    Source: Box and Jenkins, Time Series Analysis, 1970.
    """

    def path(values: Numbers, origins: Sequence[int], horizon: int) -> Numbers:
        known = values[: origins[0]]
        reach = min(most, len(known) // 4)
        _, lags, weights = min((_regressed(known, lags, reach) for lags in range(1, reach + 1)), key=lambda one: one[0])
        rows = np.array([values[origin - lags : origin] for origin in origins])
        for _ in range(horizon):
            rows = np.column_stack([rows, weights[0] + rows[:, -lags:] @ weights[1:]])
        return rows[:, lags:]

    return path


def _regressed(known: Numbers, lags: int, reach: int) -> tuple[float, int, Numbers]:
    """Return Akaike's criterion, the lags, and the weights, constant first; every number of lags has to tell the same values."""
    before = np.lib.stride_tricks.sliding_window_view(known, lags)[reach - lags : -1]
    told, inputs = known[reach:], np.column_stack([np.ones(len(before)), before])
    weights = np.linalg.lstsq(inputs, told, rcond=None)[0]
    left = float(((told - inputs @ weights) ** 2).mean())
    return len(told) * float(np.log(left + 1e-300)) + 2 * (lags + 1), lags, weights


def on_logs(path: Path) -> Path:
    """Return the same method on logarithms, for series whose swings grow with their level."""

    def logged(values: Numbers, origins: Sequence[int], horizon: int) -> Numbers:
        return np.exp(path(np.log(values), origins, horizon))

    return logged


def methods(values: Numbers, season: int) -> tuple[Method, ...]:
    """Return the methods that may fit a series; the first one, the seasonal naive one, is what others are held against."""
    cycle = season if season <= MOST_SEASON else 1
    cyclic: tuple[tuple[str, Path], ...] = (
        ("ets", exponential(False, cycle)),
        ("ets_trend", exponential(True, cycle)),
        ("arima", arima((0, 1, 1), (0, 1, 1), cycle) if cycle > 1 else arima((1, 1, 1), (0, 0, 0), 1)),
        ("arima_level", arima((1, 0, 1), (0, 1, 1), cycle) if cycle > 1 else arima((2, 0, 0), (0, 0, 0), 1)),
    )
    plain = [Method("seasonal_naive", seasonal_naive(season)), Method("naive", naive), Method("drift", drift)]
    models = [Method(name, path) for name, path in (*cyclic, ("ar", autoregressive(max(12, min(2 * season, 36)))))]
    if season > 1 and season > MOST_SEASON:
        models = [Method(f"{one.name}_over_cycle", over_cycle(one.path, season)) for one in models]
    if season > 1 and values.min() > 0 and values.max() > 3 * values.min():
        models += [Method(f"{one.name}_log", on_logs(one.path)) for one in models]
    return (*plain, *models)


def over_cycle(path: Path, season: int) -> Path:
    """Return a method on the differences to one cycle before, for cycles that are too long for seasonal models."""

    def crossed(values: Numbers, origins: Sequence[int], horizon: int) -> Numbers:
        steps = path(values[season:] - values[:-season], [origin - season for origin in origins], min(horizon, season))
        base = seasonal_naive(season)(values, origins, horizon)
        return base + np.pad(steps, ((0, 0), (0, horizon - steps.shape[1])), mode="edge")

    return crossed


def continued(method: Method, values: Numbers, origins: Sequence[int], horizon: int) -> Numbers:
    """Return a method's forecasts of shape (origins, horizon), all finite.

    Raises:
        MethodFailed: the method does not get along with this series.
    """
    import statsmodels.tools.sm_exceptions  # noqa: F401  # when it is loaded it sets filters, which would go before ours

    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # that a fit did not end is seen by how far it is off
            found = np.asarray(method.path(values, origins, horizon), dtype=float)
    except (ValueError, IndexError, ArithmeticError, np.linalg.LinAlgError) as error:
        raise MethodFailed(f"{method.name}: {error}") from error
    if found.shape != (len(origins), horizon) or not np.isfinite(found).all():
        raise MethodFailed(f"{method.name} gave no finite forecasts")
    return found


def looks_ahead(method: Method, values: Numbers, origin: int, horizon: int) -> bool:
    """Say whether a method's forecast at an origin changes when the values from there on are others."""
    rng = np.random.default_rng(_SEED)
    others = values.copy()
    others[origin:] = rng.permutation(values)[: len(values) - origin] + rng.normal(0, values.std() or 1, len(values) - origin)
    before, after = (continued(method, one, [origin], horizon) for one in (values, others))
    return bool(np.abs(before - after).max() > 1e-9 * max(1.0, float(np.abs(values).max())))
