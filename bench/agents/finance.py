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


def _loan(principal: float, rate: float, months: int) -> dict[str, Any]:
    return {"principal": principal, "annual_rate": rate, "payments": months}


def _npv(rate: float, *flows: float) -> dict[str, Any]:
    return {"rate": rate, "cash_flows": list(flows)}


_FLOWS = (
    ("What is the NPV of {flows} at {rate} %?", "npv", False),
    ("Compute the net present value of the cash flows {flows} with a discount rate of {rate} percent", "npv", False),
    ("Wie hoch ist der Kapitalwert von {flows} bei {rate} %?", "npv", True),
    ("What is the internal rate of return of {flows}?", "irr", False),
    ("IRR of {flows}", "irr", False),
    ("Bitte den internen Zinsfuß von {flows} berechnen", "irr", True),
)

# Free wording, written down once and not fitted to; a question that asks for something else must be refused (None).
_FREE: tuple[tuple[str, tuple[str, dict[str, Any]] | None], ...] = (
    (
        "If I take out a 200,000 dollar mortgage at 4 % for 30 years, what will I pay each month?",
        ("loan", _loan(200_000, 0.04, 360)),
    ),
    ("Monthly instalments for a car loan: 18,500 at 3.9 % over 48 months", ("loan", _loan(18_500, 0.039, 48))),
    ("we need a loan of 50,000, 7 years, 6.25 percent. monthly payment?", ("loan", _loan(50_000, 0.0625, 84))),
    ("Loan: principal 12,000, interest rate 8 %, term 2 years", ("loan", _loan(12_000, 0.08, 24))),
    (
        "Was zahle ich monatlich für einen Kredit über 15.000 Euro mit 4,9 % Zinsen bei 6 Jahren Laufzeit?",
        ("loan", _loan(15_000, 0.049, 72)),
    ),
    (
        "Ein Darlehen von 100.000 € soll in 10 Jahren bei 3 % getilgt werden. Wie hoch ist die Rate?",
        ("loan", _loan(100_000, 0.03, 120)),
    ),
    ("How much can I borrow if I pay 500 a month at 5 % for 10 years?", None),
    ("What interest rate makes a loan of 10,000 cost 300 a month for 3 years?", None),
    ("Compare a loan of 10,000 at 5 % over 3 years with one over 5 years", None),
    ("What is the effective annual rate of a loan of 10,000 at 5 % over 3 years?", None),
    ("NPV at 10% of -5000, 1500, 1500, 1500, 1500, 1500", ("npv", _npv(0.1, -5000, *[1500] * 5))),
    ("Discounting at 7 percent, what is the net present value of -200, 80, 80, 80?", ("npv", _npv(0.07, -200, 80, 80, 80))),
    ("We invest 1,000 now and get 600 in each of the next two years; NPV at 9 %?", None),
    ("Kapitalwert bei einem Zinssatz von 6 % und den Zahlungen -1.000, 400, 400, 400", ("npv", _npv(0.06, -1000, 400, 400, 400))),
    ("Find the IRR for the cash flows -100, 60, 60", ("irr", {"cash_flows": [-100, 60, 60]})),
    ("What return do I earn on -100, 60, 60?", None),
    ("Interner Zinsfuß der Zahlungsreihe -2500; 900; 900; 1.100", ("irr", {"cash_flows": [-2500, 900, 900, 1100]})),
    ("5-day simple moving average for 10, 11, 12, 11, 10, 9", ("sma", {"values": [10, 11, 12, 11, 10, 9], "window": 5})),
    ("moving average, window 2, of 3, 5, 7", ("sma", {"values": [3, 5, 7], "window": 2})),
    ("exponential moving average over 3 days of 3, 5, 7, 9", None),
    (
        "Compute a 3-period RSI from the closing prices 10, 11, 10.5, 11.5, 12",
        ("rsi", {"prices": [10, 11, 10.5, 11.5, 12], "period": 3}),
    ),
    ("Sharpe ratio for monthly returns of 2 %, -1 %, 3 %", ("sharpe", {"returns": [0.02, -0.01, 0.03], "per_year": 12})),
    (
        "What is the Sharpe ratio of the daily returns 1 %, 2 %, 1.5 %?",
        ("sharpe", {"returns": [0.01, 0.02, 0.015], "per_year": 252}),
    ),
    ("Should I buy shares with an RSI of 30?", None),
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


def free() -> list[bool | None]:
    """Return for each question in free wording whether it is dealt with rightly: understood, or refused where it has to be."""
    told: list[bool | None] = []
    for text, means in _FREE:
        if means is None:
            told.append(_understood(text, "", {}) is None)
        else:
            told.append(_understood(text, *means))
    return told


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
    wording = free()
    data = f"random arguments of {len(FUNCTIONS) - 1} functions; numpy-financial, pandas"
    worded = "questions in free wording, of which eight ask for what there is not"
    said = f"questions from {len(_LOAN) + len(_FLOWS)} templates, English and German"
    told = [one is True for one in wording]
    wrong = [one is False for one in wording]
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
        Figure(WORKER, "dealt_with_free", "share", "higher", share(told, seed), worded, len(wording)),
        Figure(WORKER, "misunderstood_free", "share", "lower", share(wrong, seed), worded, len(wording), asked="0"),
    ]
