"""Prices and returns: moving average, relative strength index, Sharpe ratio, drawdown."""

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

from agents.finance.number import FinanceRefused, finite, number, numbers, total, whole

_FLAT = 50.0  # neither gains nor losses: neither side is stronger
_ALL_GAINS = 100.0


def sma(values: Any, window: Any) -> dict[str, Any]:
    """Return the simple moving average: the last one, and one for each value from the window's end on.

    Raises:
        FinanceRefused: `too_few` values for the window.
    """
    width = whole(window, "window", 1, 10_000)
    given = numbers(values, "values", least=width)
    means = [total((one / width for one in given[end - width : end]), "the mean") for end in range(width, len(given) + 1)]
    return {"sma": means[-1], "series": means}


def rsi(prices: Any, period: Any = 14) -> dict[str, Any]:
    """Return the relative strength index in [0, 100] with Wilder's smoothing: the last one, and one for each price since.

    The first averages are plain means of `period` changes; flat prices have 50, prices that only rise 100.
    Source: J. Welles Wilder, New Concepts in Technical Trading Systems, 1978.

    Raises:
        FinanceRefused: `too_few` prices for the period.
    """
    width = whole(period, "period", 1, 10_000)
    given = numbers(prices, "prices", least=width + 1)
    moves = [finite(later - earlier, "a change of price") for earlier, later in pairwise(given)]
    up = _smoothed([max(move, 0.0) for move in moves], width)
    down = _smoothed([max(-move, 0.0) for move in moves], width)
    series = [_strength(gain, loss) for gain, loss in zip(up, down, strict=True)]
    return {"rsi": series[-1], "series": series}


def _smoothed(moves: list[float], width: int) -> list[float]:
    """Return Wilder's averages: a mean first, then each new move counts one part in `width`."""
    first = total((move / width for move in moves[:width]), "the mean")
    return list(accumulate(moves[width:], lambda mean, move: mean + (move - mean) / width, initial=first))


def _strength(gain: float, loss: float) -> float:
    """Return 100 * gain / (gain + loss), which is 100 - 100 / (1 + gain / loss), and its two edges."""
    if gain == 0 and loss == 0:
        return _FLAT
    share = gain / max(gain, loss) / (gain / max(gain, loss) + loss / max(gain, loss))  # their sum may be too big
    return _ALL_GAINS * share


def sharpe(returns: Any, risk_free: Any = 0.0, per_year: Any = 252) -> dict[str, float]:
    """Return the Sharpe ratio: mean over sample deviation of what returns exceed `risk_free`, both per period, for a year.

    Raises:
        FinanceRefused: `zero_volatility`, or `too_few` returns.
    """
    free, yearly = number(risk_free, "risk_free", -1, 1e6), whole(per_year, "per_year", 1, 100_000)
    excess = [finite(one - free, "a return") for one in numbers(returns, "returns", least=2)]
    mean, deviation = total((one / len(excess) for one in excess), "the mean"), spread(excess)
    if deviation == 0:
        raise FinanceRefused("zero_volatility", "the returns are all the same, so there is no risk to divide by")
    return {"sharpe": finite(mean / deviation * math.sqrt(yearly), "the ratio"), "mean": mean, "volatility": deviation}


def spread(values: Sequence[float]) -> float:
    """Return the sample standard deviation; exactly 0 where all values are the same.

    Raises:
        FinanceRefused: `too_big`.
    """
    if min(values) == max(values):
        return 0.0
    scale = max(map(abs, values))
    mean = math.fsum(value / scale for value in values) / len(values)
    squares = math.fsum((value / scale - mean) ** 2 for value in values)
    return finite(scale * math.sqrt(squares / (len(values) - 1)), "the deviation")


def drawdown(worth: Sequence[float]) -> float:
    """Return the deepest fall from a former height, as a part of that height."""
    return max(1 - now / height for now, height in zip(worth, accumulate(worth, max), strict=True))
