"""Cash flows, one a period from now on: net present value and internal rate of return."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from agents.finance.number import FinanceRefused, number, numbers, total

MOST_FLOWS = 1_200
MOST_CHANGES = 60
_FURTHEST = math.log(1e12)  # of the logarithm of 1 / (1 + rate): rates from -1 + 1e-12 to 1e12
_HALVINGS = 80
_TOUCH = 1e-13  # of the sum of absolute terms: the value where the curve touches zero without crossing it


def npv(rate: Any, cash_flows: Any) -> dict[str, float]:
    """Return the sum of flows, the first one now, each later one discounted by 1 + rate once more (0.08 for 8 %).

    Raises:
        FinanceRefused: a rate of -1 or less, nothing to sum, or a sum that is too big.
    """
    flows = numbers(cash_flows, "cash_flows")
    plain = number(rate, "rate", -1, 1e12)
    if plain == -1:
        raise FinanceRefused("bad_argument", "rate must be more than -1")
    return {"npv": total((discounted(flow, plain, time) for time, flow in enumerate(flows)), "the present value")}


def discounted(flow: float, rate: float, time: int) -> float:
    """Return what a flow is worth that many periods before; infinite where that is too big."""
    try:
        return flow * (1 + rate) ** -time if flow else 0.0
    except OverflowError:
        return math.copysign(math.inf, flow)


def irr(cash_flows: Any) -> dict[str, float]:
    """Return the rate per period at which the flows are worth nothing now.

    Raises:
        FinanceRefused: `no_sign_change` (all pay, or all are paid), `several_rates` (all are named), or `no_rate`.
    """
    flows = numbers(cash_flows, "cash_flows", least=2)
    if len(flows) > MOST_FLOWS:
        raise FinanceRefused("bad_argument", f"cash_flows has more than {MOST_FLOWS} numbers")
    if not changes(flows):
        raise FinanceRefused("no_sign_change", "the flows never change their sign, so no rate makes them worth nothing")
    if len(changes(flows)) > MOST_CHANGES:
        raise FinanceRefused("bad_argument", f"cash_flows changes its sign more than {MOST_CHANGES} times")
    rates = sorted(math.expm1(-place) for place in roots(flows))
    if not rates:
        raise FinanceRefused("no_rate", "no rate between -100 % and 1e12 makes these flows worth nothing")
    if len(rates) > 1:
        named = ", ".join(f"{rate:.6g}" for rate in rates)
        raise FinanceRefused("several_rates", f"several rates make these flows worth nothing: {named}")
    return {"irr": rates[0]}


def changes(flows: Sequence[float]) -> list[int]:
    """Return the places after which the sign of the flows changes, leaving out zeros."""
    signed = [(place, flow) for place, flow in enumerate(flows) if flow != 0]
    return [place for (place, flow), (_, later) in pairwise(signed) if (flow > 0) != (later > 0)]


def roots(flows: Sequence[float]) -> list[float]:
    """Return every s within reach at which sum(flow[t] * exp(s * t)) is zero.

    Between two zeros of x**-k * f(x) its slope has one, and that slope, as a polynomial, has one change of sign fewer than f
    when k lies at a change (the induction that proves Descartes' rule of signs). So the zeros of the slope part the line into
    stretches in which there is one zero at most, and each is found by halving.
    """
    where = changes(flows)
    if not where:
        return []
    steeper = [(time - where[0] - 0.5) * flow for time, flow in enumerate(flows)]
    fences = [-_FURTHEST, *roots(steeper), _FURTHEST]
    found = [halved(flows, low, high) for low, high in pairwise(fences) if value(flows, low) * value(flows, high) < 0]
    return sorted(found + [fence for fence in fences[1:-1] if value(flows, fence) == 0])


def value(flows: Sequence[float], s: float) -> float:
    """Return sum(flow[t] * exp(s * t)) over the sum of its absolute terms, in [-1, 1]; 0 where it is no more than rounding."""
    logs = [(math.log(abs(flow)) + s * time, flow > 0) for time, flow in enumerate(flows) if flow != 0]
    top = max(log for log, _ in logs)
    terms = [math.exp(log - top) if positive else -math.exp(log - top) for log, positive in logs]
    share = math.fsum(terms) / math.fsum(map(abs, terms))
    return share if abs(share) > _TOUCH else 0.0


def halved(flows: Sequence[float], low: float, high: float) -> float:
    """Return the zero between two places at which the signs differ."""
    below = value(flows, low) > 0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if (value(flows, middle) > 0) == below and value(flows, middle) != 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
