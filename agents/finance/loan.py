"""Loans that are paid back in equal payments (annuities)."""

import math
from itertools import pairwise
from typing import Any

from agents.finance.number import FinanceRefused, finite, number, whole

MOST_PAYMENTS = 12_000
MOST_SHOWN = 1_200  # rows of a plan


def loan(principal: Any, annual_rate: Any, payments: Any, per_year: Any = 12, plan: Any = False) -> dict[str, Any]:
    """Return what each of `payments` equal payments is, in the units of `principal`, and what all of them come to.

    `annual_rate` is nominal, 0.05 for 5 % a year; each of `per_year` periods bears its part of it, and each payment is made
    at the end of its period. 0 % is a plain division. `plan` adds one row for each payment.

    Raises:
        FinanceRefused: an argument is out of range, or the plan too long to show.
    """
    amount = number(principal, "principal", 0, 1e18)
    count, yearly = whole(payments, "payments", 1, MOST_PAYMENTS), whole(per_year, "per_year", 1, 366)
    rate = number(annual_rate, "annual_rate", 0, 100) / yearly
    payment = payment_of(amount, rate, count)
    total = finite(payment * count, "the sum of payments")
    told: dict[str, Any] = {"payment": payment, "payments": count, "total_paid": total, "total_interest": total - amount}
    if plan is True:
        told["plan"] = schedule(amount, rate, count, payment)
    return told


def payment_of(amount: float, rate: float, count: int) -> float:
    """Return one payment of an annuity; exact for tiny rates as well, where (1 + rate) ** count loses its digits."""
    if rate == 0:
        return amount / count
    return finite(amount * rate / -math.expm1(-count * math.log1p(rate)), "the payment")


def schedule(amount: float, rate: float, count: int, payment: float) -> list[dict[str, float | int]]:
    """Return for each payment the interest and the repayment in it, and what is owed after it; after the last, nothing.

    Raises:
        FinanceRefused: `plan_too_long`.
    """
    if count > MOST_SHOWN:
        raise FinanceRefused("plan_too_long", f"a plan is shown for {MOST_SHOWN} payments at most")
    # From the end backwards: forwards, each period would multiply the rounding of all before it.
    owed = [0.0]
    for _ in range(count - 1):
        owed.append((owed[-1] + payment) / (1 + rate))
    owed = [amount, *reversed(owed)]
    return [
        {
            "number": turn,
            "payment": before * rate + (before - after),
            "interest": before * rate,
            "repayment": before - after,
            "owed": after,
        }
        for turn, (before, after) in enumerate(pairwise(owed), start=1)
    ]
