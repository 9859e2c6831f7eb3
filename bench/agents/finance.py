"""Finance: results against numpy-financial and pandas, and questions in words against the arguments they mean."""

import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

from agents.finance.menu import FUNCTIONS, call
from agents.finance.number import FinanceRefused
from agents.finance.question import read
from bench.agents.figure import Figure
from bench.agents.share import share

WORKER = "finance"
CASES = 400
QUESTIONS = 400
_CLOSE = 1e-6
_LOAN = (
    ("What is the monthly payment of a loan of {amount} at {rate} % over {years} years?", False),
    ("How much do I pay per month for a {amount} mortgage at {rate}% for {years} years", False),
    ("I borrow ${amount} for {months} months at {rate} percent interest. What is the monthly payment on this loan?", False),
    ("Calculate the loan payment: {amount}, {years} years, {rate} %", False),
    ("Wie hoch ist die Monatsrate für ein Darlehen über {amount} Euro bei {rate} % Zinsen und {years} Jahren Laufzeit?", True),
    ("Berechne die monatliche Rate eines Kredits von {amount} € zu {rate} Prozent über {months} Monate", True),
    ("Kredit {amount} Euro, {rate} %, {years} Jahre: was kostet das im Monat?", True),
)
_FLOWS = (
    ("What is the NPV of {flows} at {rate} %?", "npv", False),
    ("Compute the net present value of the cash flows {flows} with a discount rate of {rate} percent", "npv", False),
    ("Wie hoch ist der Kapitalwert von {flows} bei {rate} %?", "npv", True),
    ("What is the internal rate of return of {flows}?", "irr", False),
    ("IRR of {flows}", "irr", False),
    ("Bitte den internen Zinsfuß von {flows} berechnen", "irr", True),
)


def cases(rng: random.Random, count: int) -> Iterator[tuple[str, dict[str, Any], float]]:
    """Yield function, arguments and the reference's value."""
    import numpy_financial
    import pandas

    for turn in range(count):
        flows = [-rng.uniform(100, 9_000), *(rng.uniform(0, 2_000) for _ in range(rng.randint(2, 30)))]
        prices = [100 * math.exp(rng.gauss(0, 0.2) + place / 50) for place in range(60)]
        rate, months = rng.uniform(0, 0.2), rng.randint(1, 480)
        series = pandas.Series(prices)
        returns = series.pct_change().dropna()
        kinds: tuple[tuple[str, dict[str, Any], float], ...] = (
            (
                "loan:payment",
                {"principal": 1e5, "annual_rate": rate, "payments": months},
                -float(numpy_financial.pmt(rate / 12, months, 1e5)),
            ),
            ("npv:npv", {"rate": rate, "cash_flows": flows}, float(numpy_financial.npv(rate, flows))),
            ("irr:irr", {"cash_flows": flows}, float(numpy_financial.irr(flows))),
            ("sma:sma", {"values": prices, "window": 10}, float(series.rolling(10).mean().iloc[-1])),
            ("rsi:rsi", {"prices": prices}, _wilder(series)),
            ("sharpe:sharpe", {"returns": list(returns)}, float(returns.mean() / returns.std() * math.sqrt(252))),
        )
        yield kinds[turn % len(kinds)]


def _wilder(series: Any) -> float:
    """Return Wilder's index by pandas' exponential mean, seeded with the mean of the first 14 changes."""
    import pandas

    change = series.diff().dropna()

    def smoothed(moves: Any) -> Any:
        return pandas.concat([pandas.Series([moves.iloc[:14].mean()]), moves.iloc[14:]]).ewm(alpha=1 / 14, adjust=False).mean()

    up, down = smoothed(change.clip(lower=0)).iloc[-1], smoothed(-change.clip(upper=0)).iloc[-1]
    return float(100 - 100 / (1 + up / down))


def questions(rng: random.Random, count: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield questions, and the function and arguments that they mean."""
    for turn in range(count):
        if turn % 2:
            text, german = rng.choice(_LOAN)
            amount, rate, years = rng.randint(1, 900) * 1000, rng.randint(1, 120) / 10, rng.randint(1, 30)
            filled = text.format(amount=_written(amount, german), rate=_written(rate, german), years=years, months=years * 12)
            yield filled, "loan", {"principal": amount, "annual_rate": rate / 100, "payments": years * 12}
        else:
            text, name, german = rng.choice(_FLOWS)
            flows = [-rng.randint(500, 5_000), *(rng.randint(100, 2_500) for _ in range(rng.randint(2, 6)))]
            rate = rng.randint(1, 150) / 10
            listed = (", " if rng.random() < 0.7 else "; ").join(_written(flow, german) for flow in flows)
            means = {"cash_flows": flows} | ({"rate": rate / 100} if name == "npv" else {})
            yield text.format(flows=listed, rate=_written(rate, german)), name, means


def _written(number: float, german: bool) -> str:
    """Return a number as people write it in their language."""
    text = f"{number:,}"
    return text.translate(str.maketrans(",.", ".,")) if german else text


def _is_right(kind: str, arguments: dict[str, Any], true: float) -> bool:
    """Say whether a result is the reference's to 1e-6 of it."""
    name, key = kind.split(":")
    return math.isclose(call(name, arguments)[key], true, rel_tol=_CLOSE, abs_tol=1e-9)


def _understood(text: str, name: str, means: dict[str, Any]) -> bool | None:
    """Say whether a question is read as it is meant; None: it is refused."""
    try:
        found, arguments = read(text)
    except FinanceRefused:
        return None
    return found == name and _same(arguments, means)


def _same(arguments: dict[str, Any], means: dict[str, Any]) -> bool:
    """Say whether arguments are the same numbers."""
    flat = [_flat(one[key]) for one in (arguments, means) for key in sorted(means)]
    half = len(flat) // 2
    return set(arguments) == set(means) and all(
        len(left) == len(right) and all(math.isclose(a, b, rel_tol=1e-9) for a, b in zip(left, right, strict=True))
        for left, right in zip(flat[:half], flat[half:], strict=True)
    )


def _flat(value: Any) -> Sequence[float]:
    """Return one number or a list of them as a list."""
    return value if isinstance(value, list) else [value]


def measure(seed: int) -> list[Figure]:
    """Return the figures."""
    rng = random.Random(seed)
    right = [_is_right(*case) for case in cases(rng, CASES)]
    read_as = [_understood(*asked) for asked in questions(rng, QUESTIONS)]
    data = f"random arguments of {len(FUNCTIONS) - 1} functions; numpy-financial, pandas"
    said = f"questions from {len(_LOAN) + len(_FLOWS)} templates, English and German"
    return [
        Figure(WORKER, "equal", "share within 1e-6", "higher", share(right, seed), data, len(right), asked="1"),
        Figure(WORKER, "understood", "share", "higher", share([one is True for one in read_as], seed), said, len(read_as)),
        Figure(
            WORKER,
            "misunderstood",
            "share",
            "lower",
            share([one is False for one in read_as], seed),
            said,
            len(read_as),
            asked="0",
        ),
    ]
