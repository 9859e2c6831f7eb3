"""A portfolio of assets at fixed weights, set right after every period."""

import math
from collections.abc import Mapping
from itertools import accumulate, pairwise
from operator import mul
from typing import Any

from agents.finance.market import drawdown, spread
from agents.finance.number import FinanceRefused, finite, number, numbers, total, whole

MOST_ASSETS = 200
_SLACK = 1e-6  # of the sum of weights


def portfolio(prices: Any, weights: Any = None, risk_free: Any = 0.0, per_year: Any = 252) -> dict[str, Any]:
    """Return what a portfolio earned, how much it swung, its deepest fall, and which asset brought how much of the swing.

    `prices` maps each asset to its prices, all of one length; `weights` map them to parts that sum to 1 (none: equal parts).
    `return` is over all periods, `annual_return` the same as a steady yearly rate, `volatility` the sample deviation of a
    period's returns times the root of `per_year`. `sharpe` is null where nothing swings.

    Raises:
        FinanceRefused: prices that are not positive or differ in length, or weights that do not sum to 1.
    """
    assets = _assets(prices)
    parts = _parts(weights, list(assets))
    yearly, free = whole(per_year, "per_year", 1, 100_000), number(risk_free, "risk_free", -1, 1e6)
    grown = {name: [later / earlier - 1 for earlier, later in pairwise(series)] for name, series in assets.items()}
    returns = [total((parts[name] * grown[name][time] for name in assets), "a return") for time in range(_length(assets) - 1)]
    worth = list(accumulate(returns, lambda had, one: had * (1 + one), initial=1.0))
    if min(worth) <= 0:
        raise FinanceRefused("ruined", "the portfolio is worth nothing or less at some time, so no return can be told")
    deviation = spread(returns)
    return {
        "return": finite(worth[-1], "the return") - 1,
        "annual_return": finite(_power(worth[-1], yearly / len(returns)), "the yearly return") - 1,
        "volatility": finite(deviation * math.sqrt(yearly), "the volatility"),
        "max_drawdown": drawdown(worth),
        "sharpe": None if deviation == 0 else _ratio(returns, free, deviation, yearly),
        "weights": parts,
        "risk_shares": _shares(parts, grown, returns),
    }


def _ratio(returns: list[float], free: float, deviation: float, yearly: int) -> float:
    """Return the Sharpe ratio."""
    return finite((total(returns, "the mean") / len(returns) - free) / deviation * math.sqrt(yearly), "the ratio")


def _power(base: float, exponent: float) -> float:
    """Return base ** exponent, infinite where it is too big."""
    try:
        return float(base**exponent)
    except OverflowError:
        return math.inf


def _assets(prices: Any) -> dict[str, list[float]]:
    """Return the prices of each asset, sorted by name."""
    if not isinstance(prices, Mapping) or not 1 <= len(prices) <= MOST_ASSETS:
        raise FinanceRefused("bad_argument", f"prices must map 1 to {MOST_ASSETS} assets to lists of prices")
    assets = {str(name): numbers(series, f"prices of {name}", least=3) for name, series in sorted(prices.items())}
    if len({len(series) for series in assets.values()}) > 1:
        raise FinanceRefused("bad_argument", "all assets need the same number of prices")
    if any(price <= 0 for series in assets.values() for price in series):
        raise FinanceRefused("bad_argument", "prices must be more than 0")
    if any(not math.isfinite(later / earlier) for series in assets.values() for earlier, later in pairwise(series)):
        raise FinanceRefused("too_big", "a return is too big for a number")
    return assets


def _parts(weights: Any, names: list[str]) -> dict[str, float]:
    """Return the weight of each asset."""
    if weights is None:
        return dict.fromkeys(names, 1 / len(names))
    if not isinstance(weights, Mapping) or sorted(map(str, weights)) != names:
        raise FinanceRefused("bad_argument", "weights must name each asset of prices, and no other")
    parts = {name: number(weights[name], f"weight of {name}", -1e6, 1e6) for name in names}
    if abs(math.fsum(parts.values()) - 1) > _SLACK:
        raise FinanceRefused("weights_off", f"weights must sum to 1, not to {math.fsum(parts.values()):.6g}")
    return parts


def _length(assets: Mapping[str, list[float]]) -> int:
    """Return how many prices each asset has."""
    return len(next(iter(assets.values())))


def _shares(parts: Mapping[str, float], grown: Mapping[str, list[float]], returns: list[float]) -> dict[str, float] | None:
    """Return which part of the variance each asset brings: its weight times its covariance with the whole; they sum to 1."""
    if spread(returns) == 0:
        return None
    middle = total(returns, "the mean") / len(returns)
    away = [one - middle for one in returns]
    variance = total((one * one for one in away), "the variance")
    return {name: parts[name] * total(map(mul, grown[name], away), "the covariance") / variance for name in parts}
