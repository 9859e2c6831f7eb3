"""The table of contents: every function of finance with the JSON Schema of its arguments."""

import inspect
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from agents.finance.cash import irr, npv
from agents.finance.loan import loan
from agents.finance.market import rsi, sharpe, sma
from agents.finance.number import FinanceRefused
from agents.finance.portfolio import portfolio

_NUMBER = {"type": "number"}
_NUMBERS = {"type": "array", "items": _NUMBER, "minItems": 1}


class Function(Struct, frozen=True):
    """One function: what it is called, what it tells, the schema of its arguments, and those that it needs."""

    name: str
    says: str
    run: Callable[..., dict[str, Any]]
    properties: dict[str, dict[str, Any]]
    needed: tuple[str, ...]

    @property
    def parameters(self) -> dict[str, Any]:
        """Return the JSON Schema of its arguments."""
        return {"type": "object", "properties": self.properties, "required": list(self.needed), "additionalProperties": False}


FUNCTIONS: tuple[Function, ...] = (
    Function(
        "loan",
        "Equal payments of a loan, what they come to, and a plan of payments. annual_rate 0.05 is 5 %.",
        loan,
        {
            "principal": _NUMBER,
            "annual_rate": _NUMBER,
            "payments": {"type": "integer"},
            "per_year": {"type": "integer"},
            "plan": {"type": "boolean"},
        },
        ("principal", "annual_rate", "payments"),
    ),
    Function(
        "npv",
        "Net present value of cash flows of which the first one is now. rate 0.08 is 8 % per period.",
        npv,
        {"rate": _NUMBER, "cash_flows": _NUMBERS},
        ("rate", "cash_flows"),
    ),
    Function("irr", "Internal rate of return per period of cash flows.", irr, {"cash_flows": _NUMBERS}, ("cash_flows",)),
    Function(
        "rsi",
        "Relative strength index of prices, oldest first, with Wilder's smoothing.",
        rsi,
        {"prices": _NUMBERS, "period": {"type": "integer"}},
        ("prices",),
    ),
    Function(
        "sma",
        "Simple moving average of values, oldest first.",
        sma,
        {"values": _NUMBERS, "window": {"type": "integer"}},
        ("values", "window"),
    ),
    Function(
        "sharpe",
        "Sharpe ratio of returns per period (0.01 is 1 %), for a year.",
        sharpe,
        {"returns": _NUMBERS, "risk_free": _NUMBER, "per_year": {"type": "integer"}},
        ("returns",),
    ),
    Function(
        "portfolio",
        "Return, volatility, deepest fall and shares of risk of a portfolio at fixed weights.",
        portfolio,
        {
            "prices": {"type": "object", "additionalProperties": _NUMBERS},
            "weights": {"type": "object", "additionalProperties": _NUMBER},
            "risk_free": _NUMBER,
            "per_year": {"type": "integer"},
        },
        ("prices",),
    ),
)


def call(name: Any, arguments: Any) -> dict[str, Any]:
    """Return what a function tells of these arguments.

    Raises:
        FinanceRefused: there is no such function, its arguments do not fit, or there is no answer.
    """
    function = next((one for one in FUNCTIONS if one.name == name), None)
    if function is None:
        known = ", ".join(one.name for one in FUNCTIONS)
        raise FinanceRefused("unknown_function", f"function must be one of {known}")
    if not isinstance(arguments, dict):
        raise FinanceRefused("bad_argument", "arguments must be an object")
    strange = sorted(set(map(str, arguments)) - set(inspect.signature(function.run).parameters))
    if strange:
        raise FinanceRefused("bad_argument", f"{function.name} has no argument {strange[0][:40]!r}")
    missing = [one for one in function.needed if one not in arguments]
    if missing:
        raise FinanceRefused("bad_argument", f"{function.name} needs the argument {missing[0]}")
    return function.run(**arguments)
