"""The two special functions that intervals and tests need, without scipy in a serving process.

Source: Numerical Recipes, 3rd edition, sections 6.2 and 6.4 (series and Lentz's continued fractions); checked against
scipy in the tests to 1e-9.
"""

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import count

from learning.errors import StatisticError

_SMALL = 1e-300
_EPSILON = 1e-15
_STEPS = 10_000


def chi_squared_tail(statistic: float, degrees: int) -> float:
    """Return P(X >= statistic) for a chi-squared X with that many degrees of freedom."""
    if degrees < 1 or not statistic >= 0.0:
        raise StatisticError(f"no chi-squared tail for statistic {statistic!r} with {degrees} degrees of freedom")
    return upper_gamma(degrees / 2.0, statistic / 2.0)


def upper_gamma(shape: float, x: float) -> float:
    """Return the regularised upper incomplete gamma function Q(shape, x); shape > 0, x >= 0."""
    if x == 0.0:
        return 1.0
    scale = math.exp(shape * math.log(x) - x - math.lgamma(shape))
    if x < shape + 1.0:
        return 1.0 - scale * _gamma_series(shape, x)
    return scale / _lentz(x + 1.0 - shape, ((-i * (i - shape), x + 2.0 * i + 1.0 - shape) for i in count(1)))


def regularised_beta(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b); a, b > 0, 0 <= x <= 1."""
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - regularised_beta(b, a, 1.0 - x)
    log_scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_scale) / (a * _lentz(1.0, _beta_terms(a, b, x)))


def student_tail(t: float, degrees: float) -> float:
    """Return P(|T| >= |t|) for Student's T with that many (not necessarily whole) degrees of freedom."""
    if not degrees > 0.0 or math.isnan(t):
        raise StatisticError(f"no Student tail for t {t!r} with {degrees!r} degrees of freedom")
    if math.isinf(t):
        return 0.0
    return regularised_beta(degrees / 2.0, 0.5, degrees / (degrees + t * t))


@lru_cache(maxsize=4_096)
def student_quantile(confidence: float, degrees: float) -> float:
    """Return the t >= 0 that |T| stays below with probability `confidence`, to about 1e-12 of its size."""
    return _descend(lambda t: student_tail(t, degrees), 1.0 - confidence)


def normal_quantile(confidence: float) -> float:
    """Return the z >= 0 that a standard normal |Z| stays below with probability `confidence`."""
    return _descend(lambda z: math.erfc(z / math.sqrt(2.0)), 1.0 - confidence)


def _descend(tail: Callable[[float], float], target: float) -> float:
    """Return the x >= 0 where a falling tail (1 at 0) reaches the target, by doubling and then halving."""
    if not 0.0 < target < 1.0:
        raise StatisticError(f"a confidence must lie between 0 and 1, not be {1.0 - target!r}")
    low, high = 0.0, 1.0
    while tail(high) > target:
        low, high = high, high * 2.0
    while high - low > 1e-13 * high:
        middle = (low + high) / 2.0
        if middle in (low, high):
            break
        low, high = (middle, high) if tail(middle) > target else (low, middle)
    return (low + high) / 2.0


def _gamma_series(shape: float, x: float) -> float:
    term = total = 1.0 / shape
    for i in range(1, _STEPS):
        term *= x / (shape + i)
        total += term
        if term < total * _EPSILON:
            return total
    raise StatisticError(f"the gamma series does not converge for shape {shape!r} and x {x!r}")


def _beta_terms(a: float, b: float, x: float) -> Iterator[tuple[float, float]]:
    for m in count(0):
        if m:
            yield m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), 1.0
        yield -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)), 1.0


def _lentz(start: float, terms: Iterator[tuple[float, float]]) -> float:
    """Return start + a1/(b1 + a2/(b2 + ...)) by the modified Lentz algorithm."""
    value = start if start != 0.0 else _SMALL
    c, d = value, 0.0
    for _, (numerator, denominator) in zip(range(_STEPS), terms, strict=False):
        d = 1.0 / (denominator + numerator * d or _SMALL)
        c = denominator + numerator / c or _SMALL
        value *= c * d
        if abs(c * d - 1.0) < _EPSILON:
            return value
    raise StatisticError("a continued fraction does not converge")
