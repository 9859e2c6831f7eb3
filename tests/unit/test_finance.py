"""Finance against numpy-financial, pandas and published tables, its edges by name, and what must hold of any numbers."""

import math
import random
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy_financial
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.errors import AgentFailed
from agents.finance.cash import changes, irr, npv, roots
from agents.finance.loan import loan
from agents.finance.market import drawdown, rsi, sharpe, sma
from agents.finance.menu import FUNCTIONS, call
from agents.finance.number import FinanceRefused
from agents.finance.portfolio import portfolio
from agents.finance.question import read
from agents.pipeline import Work
from agents.tools.finance import TOOLS
from tests.builders import moment

CLOSE = 1e-6
# Prices and index as StockCharts' ChartSchool publishes them (Relative Strength Index, QQQQ, 14 days).
PUBLISHED_PRICES = (
    "44.3389 44.0902 44.1497 43.6124 44.3278 44.8264 45.0955 45.4245 45.8433 46.0826 45.8931 46.0328 45.6140 46.2820 46.2820 "
    "46.0028 46.0328 46.4116 46.2222 45.6439 46.2122 46.2521 45.7137 46.4515 45.7835 45.3548 44.0288 44.1783 44.2181 44.5672 "
    "43.4205 42.6628 43.1314"
)
PUBLISHED_RSI = (
    "70.53 66.32 66.55 69.41 66.36 57.97 62.93 63.26 56.06 62.38 54.71 50.42 39.99 41.46 41.87 45.46 37.30 33.08 37.77"
)


def refusal(name: str, arguments: Any) -> str:
    """Return the code with which a call is refused."""
    with pytest.raises(FinanceRefused) as refused:
        call(name, arguments)
    assert str(refused.value)
    return refused.value.code


def test_the_published_table_of_the_strength_index() -> None:
    """Wilder's index is the published one in each of its 19 rows."""
    told = rsi([float(price) for price in PUBLISHED_PRICES.split()])

    assert told["series"] == pytest.approx([float(value) for value in PUBLISHED_RSI.split()], abs=0.006)
    assert told["rsi"] == told["series"][-1]


@pytest.mark.parametrize("seed", range(20))
def test_loans_equal_the_reference(seed: int) -> None:
    """Payment, interest and repayment of every period are numpy-financial's."""
    rng = random.Random(seed)
    amount, rate, count = rng.uniform(1, 1e7), rng.choice([1e-9, rng.uniform(0, 0.3)]), rng.randint(1, 480)
    told = loan(amount, rate, count, plan=True)

    assert told["payment"] == pytest.approx(-numpy_financial.pmt(rate / 12, count, amount), rel=CLOSE)
    periods = np.arange(1, count + 1)
    interest = -numpy_financial.ipmt(rate / 12, periods, count, amount)
    assert [row["interest"] for row in told["plan"]] == pytest.approx(list(np.atleast_1d(interest)), rel=1e-5, abs=amount * 1e-9)
    assert told["plan"][-1]["owed"] == 0


@pytest.mark.parametrize("seed", range(30))
def test_cash_flows_equal_the_reference(seed: int) -> None:
    """Present value and internal rate are numpy-financial's."""
    rng = random.Random(seed)
    flows = [-rng.uniform(100, 10_000)] + [rng.uniform(0, 3_000) for _ in range(rng.randint(1, 40))]
    rate = rng.uniform(-0.5, 1)

    assert npv(rate, flows)["npv"] == pytest.approx(numpy_financial.npv(rate, flows), rel=CLOSE)
    assert irr(flows)["irr"] == pytest.approx(numpy_financial.irr(flows), rel=CLOSE, abs=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_prices_equal_the_reference(seed: int) -> None:
    """Moving average and Sharpe ratio are those of pandas, the strength index that of its exponential mean."""
    rng = np.random.default_rng(seed)
    prices = list(map(float, 100 * np.exp(np.cumsum(rng.normal(0, 0.02, 120)))))
    series = pandas.Series(prices)
    returns = series.pct_change().dropna()
    change = series.diff().dropna()

    def wilder(moves: Any) -> Any:
        seeded = pandas.concat([pandas.Series([moves.iloc[:14].mean()]), moves.iloc[14:]])
        return seeded.ewm(alpha=1 / 14, adjust=False).mean().reset_index(drop=True)

    up, down = wilder(change.clip(lower=0)), wilder(-change.clip(upper=0))
    assert sma(prices, 9)["series"] == pytest.approx(list(series.rolling(9).mean().dropna()), rel=CLOSE)
    assert rsi(prices)["series"] == pytest.approx(list(100 - 100 / (1 + up / down)), rel=CLOSE)
    expected = (returns.mean() - 0.0001) / returns.std() * math.sqrt(252)
    assert sharpe(list(returns), 0.0001)["sharpe"] == pytest.approx(expected, rel=CLOSE)


def test_a_portfolio_equals_the_reference() -> None:
    """Return, swing, fall and shares of risk are those of matrices."""
    rng = np.random.default_rng(3)
    prices = {name: list(map(float, 50 * np.exp(np.cumsum(rng.normal(0, 0.01, 250))))) for name in "abc"}
    weights = {"a": 0.5, "b": 0.2, "c": 0.3}
    frame = pandas.DataFrame(prices).pct_change().dropna()
    parts = np.array([0.5, 0.2, 0.3])
    worth = (1 + frame @ parts).cumprod()

    told = portfolio(prices, weights)

    covariance = frame.cov().to_numpy()
    assert told["return"] == pytest.approx(worth.iloc[-1] - 1, rel=CLOSE)
    assert told["annual_return"] == pytest.approx(worth.iloc[-1] ** (252 / 249) - 1, rel=CLOSE)
    assert told["volatility"] == pytest.approx(math.sqrt(parts @ covariance @ parts * 252), rel=CLOSE)
    assert told["max_drawdown"] == pytest.approx(float((1 - worth / worth.cummax().clip(lower=1)).max()), rel=CLOSE)
    shares = parts * (covariance @ parts) / (parts @ covariance @ parts)
    assert list(told["risk_shares"].values()) == pytest.approx(list(shares), rel=CLOSE)


EDGES: dict[str, tuple[str, Mapping[str, Any], Any]] = {
    "a loan without interest": ("loan", {"principal": 1200, "annual_rate": 0, "payments": 12}, {"payment": 100.0}),
    "a loan of nothing": ("loan", {"principal": 0, "annual_rate": 0.05, "payments": 12}, {"payment": 0.0, "total_interest": 0.0}),
    "one payment": ("loan", {"principal": 100, "annual_rate": 0.12, "payments": 1}, {"payment": pytest.approx(101)}),
    "no flow": ("npv", {"rate": 0.1, "cash_flows": [0]}, {"npv": 0.0}),
    "flat prices": ("rsi", {"prices": [5] * 20}, {"rsi": 50.0}),
    "prices that only rise": ("rsi", {"prices": list(range(20))}, {"rsi": 100.0}),
    "prices that only fall": ("rsi", {"prices": list(range(20, 0, -1))}, {"rsi": 0.0}),
    "an average of one": ("sma", {"values": [1, 2], "window": 1}, {"sma": 2.0}),
    "a flat portfolio": ("portfolio", {"prices": {"a": [1, 1, 1]}}, {"volatility": 0.0, "sharpe": None, "risk_shares": None}),
    "two rates that are one": ("irr", {"cash_flows": [-1, 2.2, -1.21]}, {"irr": pytest.approx(0.1, abs=1e-6)}),
    "a rate below nothing": ("irr", {"cash_flows": [-100, 50, 30]}, {"irr": pytest.approx(-0.147, abs=1e-3)}),
    "a rate of nothing": ("irr", {"cash_flows": [-100, 60, 40]}, {"irr": pytest.approx(0, abs=1e-12)}),
}


@pytest.mark.parametrize(("name", "arguments", "expected"), EDGES.values(), ids=list(EDGES))
def test_an_edge_has_a_stated_value(name: str, arguments: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """What a formula would divide by zero has a value of its own."""
    told = call(name, dict(arguments))

    assert {key: told[key] for key in expected} == expected


NAMED: dict[str, tuple[str, Any, str]] = {
    "all is paid": ("irr", {"cash_flows": [-1, -2]}, "no_sign_change"),
    "all is earned": ("irr", {"cash_flows": [1, 2, 0]}, "no_sign_change"),
    "two rates": ("irr", {"cash_flows": [-100, 230, -132]}, "several_rates"),
    "no real rate": ("irr", {"cash_flows": [100, -100, 100]}, "no_rate"),
    "one flow": ("irr", {"cash_flows": [-1]}, "too_few"),
    "nothing moves": ("sharpe", {"returns": [0.1, 0.1, 0.1]}, "zero_volatility"),
    "one return": ("sharpe", {"returns": [0.1]}, "too_few"),
    "no values": ("sma", {"values": [], "window": 3}, "too_few"),
    "few prices": ("rsi", {"prices": [1] * 14}, "too_few"),
    "a swing too big": ("npv", {"rate": -0.999999, "cash_flows": [1.0] * 200}, "too_big"),
    "one infinity less another": ("npv", {"rate": -0.999999, "cash_flows": [1.0, -1.0] * 200}, "too_big"),
    "not a number": ("npv", {"rate": math.nan, "cash_flows": [1]}, "bad_argument"),
    "infinite": ("npv", {"rate": 0.1, "cash_flows": [math.inf]}, "bad_argument"),
    "all is lost": ("npv", {"rate": -1, "cash_flows": [1]}, "bad_argument"),
    "a truth": ("npv", {"rate": True, "cash_flows": [1]}, "bad_argument"),
    "a text": ("sma", {"values": "123", "window": 1}, "bad_argument"),
    "a number of 400 digits": ("npv", {"rate": 0.1, "cash_flows": [10**400]}, "bad_argument"),
    "part of a payment": ("loan", {"principal": 1, "annual_rate": 0.1, "payments": 1.5}, "bad_argument"),
    "no payments": ("loan", {"principal": 1, "annual_rate": 0.1, "payments": 0}, "bad_argument"),
    "a rate below zero": ("loan", {"principal": 1, "annual_rate": -0.1, "payments": 3}, "bad_argument"),
    "a plan too long": ("loan", {"principal": 1, "annual_rate": 0.1, "payments": 5000, "plan": True}, "plan_too_long"),
    "weights of more than all": ("portfolio", {"prices": {"a": [1, 2, 3]}, "weights": {"a": 2}}, "weights_off"),
    "weights of another": ("portfolio", {"prices": {"a": [1, 2, 3]}, "weights": {"b": 1}}, "bad_argument"),
    "prices of two lengths": ("portfolio", {"prices": {"a": [1, 2, 3], "b": [1, 2, 3, 4]}}, "bad_argument"),
    "a price of nothing": ("portfolio", {"prices": {"a": [1, 0, 3]}}, "bad_argument"),
    "ruin": ("portfolio", {"prices": {"a": [1, 3, 3], "b": [3, 3, 3]}, "weights": {"a": -1, "b": 2}}, "ruined"),
    "an argument too many": ("sma", {"values": [1], "window": 1, "x": 1}, "bad_argument"),
    "an argument too few": ("sma", {"values": [1]}, "bad_argument"),
    "no object": ("sma", [1], "bad_argument"),
    "no function": ("eval", {}, "unknown_function"),
}


@pytest.mark.parametrize(
    ("name", "arguments", "code"), [case for case in NAMED.values() if case[2]], ids=[k for k, c in NAMED.items() if c[2]]
)
def test_an_edge_without_a_value_has_a_name(name: str, arguments: Any, code: str) -> None:
    """Where there is no answer, a code and a sentence say why."""
    assert refusal(name, arguments) == code


def test_all_rates_are_found() -> None:
    """Flows made from three known rates have exactly these: the refusal names each."""
    flows = np.polynomial.polynomial.polyfromroots([1 / 1.1, 1 / 1.5, 1 / 3.0])

    with pytest.raises(FinanceRefused, match=r"0\.1, 0\.5, 2$"):
        irr([float(flow) for flow in flows])


flows_of = st.lists(st.floats(-1e6, 1e6).map(lambda flow: round(flow, 2)), min_size=2, max_size=30)


@given(flows_of)
@settings(max_examples=150, deadline=None)
def test_the_present_value_at_the_internal_rate_is_nothing(flows: list[float]) -> None:
    """Whatever the flows: where a rate is told, they are worth nothing at it; there are no more rates than changes of sign."""
    found = roots(flows)
    if len(found) != 1:
        assert refusal("irr", {"cash_flows": flows}) in ("no_sign_change", "several_rates", "no_rate")
        return
    rate = irr(flows)["irr"]
    worth = sum(abs(flow) * (1 + rate) ** -time for time, flow in enumerate(flows))

    assert abs(npv(rate, flows)["npv"]) <= 1e-7 * worth
    assert len(found) <= len(changes(flows))


@given(st.floats(1, 1e9), st.floats(0, 2), st.integers(1, 600))
@settings(max_examples=150, deadline=None)
def test_repayments_sum_to_the_loan_and_payments_to_their_total(amount: float, rate: float, count: int) -> None:
    """The plan repays all that was borrowed, in equal payments, and never owes more than before."""
    told = loan(amount, rate, count, plan=True)
    rows = told["plan"]

    assert math.fsum(row["repayment"] for row in rows) == pytest.approx(amount, rel=1e-6)
    assert math.fsum(row["payment"] for row in rows) == pytest.approx(told["total_paid"], rel=1e-6)
    assert all(later["owed"] <= row["owed"] * (1 + 1e-9) for row, later in pairwise(rows))


prices_of = st.lists(st.floats(1e-3, 1e6), min_size=3, max_size=40)


@given(prices_of, st.floats(0.01, 100))
@settings(max_examples=100, deadline=None)
def test_an_index_does_not_know_the_currency(prices: list[float], factor: float) -> None:
    """Index and fall stay the same when all prices are multiplied, and lie between their bounds."""
    index = rsi(prices, 2)["rsi"]

    assert 0 <= index <= 100
    assert rsi([price * factor for price in prices], 2)["rsi"] == pytest.approx(index, abs=1e-3)
    assert 0 <= drawdown(prices) < 1


@given(st.sampled_from([function.name for function in FUNCTIONS]), st.data())
@settings(max_examples=300, deadline=None)
def test_no_argument_brings_out_anything_but_finite_numbers_or_a_refusal(name: str, data: st.DataObject) -> None:
    """Any numbers of any size: each result is finite, and each error has a name."""
    function = next(one for one in FUNCTIONS if one.name == name)
    scalar = st.one_of(st.floats(), st.integers(-5, 400), st.floats(0, 1), st.booleans(), st.none())
    listed = st.lists(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.floats(-2, 2)), max_size=30)
    kinds = {"array": listed, "object": st.dictionaries(st.sampled_from("abc"), st.one_of(listed, scalar), max_size=3)}
    values = {key: data.draw(kinds.get(schema["type"], scalar)) for key, schema in function.properties.items()}
    try:
        told = call(name, values)
    except FinanceRefused:
        return

    assert all(math.isfinite(value) for value in numbers_in(told))


def numbers_in(told: Any) -> list[float]:
    """Return every number in a result."""
    if isinstance(told, dict):
        return [value for one in told.values() for value in numbers_in(one)]
    if isinstance(told, list):
        return [value for one in told for value in numbers_in(one)]
    return [told] if isinstance(told, int | float) else []


QUESTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "monthly payment of a loan of 10,000 at 5 % over 3 years": (
        "loan",
        {"principal": 10_000, "annual_rate": 0.05, "payments": 36},
    ),
    "What is the monthly payment on a $250,000 mortgage at 6.5% for 30 years?": (
        "loan",
        {"principal": 250_000, "annual_rate": 0.065, "payments": 360},
    ),
    "Wie hoch ist die monatliche Rate für einen Kredit von 10.000 Euro bei 3,5 % über 5 Jahre?": (
        "loan",
        {"principal": 10_000, "annual_rate": 0.035, "payments": 60},
    ),
    "Berechne die Monatsrate eines Darlehens über 1.250.000,50 € mit 2 Prozent Zinsen und 18 Monaten Laufzeit": (
        "loan",
        {"principal": 1_250_000.5, "annual_rate": 0.02, "payments": 18},
    ),
    "What is the net present value of -1,000, 300, 400, 500 at 8 %?": (
        "npv",
        {"rate": 0.08, "cash_flows": [-1000, 300, 400, 500]},
    ),
    "Kapitalwert von -1000; 300,5; 400 und 500 bei 8 %": ("npv", {"rate": 0.08, "cash_flows": [-1000, 300.5, 400, 500]}),
    "internal rate of return of -1000, 300, 420, 680": ("irr", {"cash_flows": [-1000, 300, 420, 680]}),
    "Wie hoch ist der interne Zinsfuß von -1000, 300, 420 und 680?": ("irr", {"cash_flows": [-1000, 300, 420, 680]}),
    "3-day moving average of 1, 2, 3, 4": ("sma", {"values": [1, 2, 3, 4], "window": 3}),
    "Gleitender Durchschnitt über 3 Tage von 1, 2, 3,5, 4": ("sma", {"values": [1, 2, 3.5, 4], "window": 3}),
    "RSI with period 3 of 1, 2, 3, 2, 5": ("rsi", {"prices": [1, 2, 3, 2, 5], "period": 3}),
    "Sharpe ratio of monthly returns 1 %, 2 %, -1 %": ("sharpe", {"returns": [0.01, 0.02, -0.01], "per_year": 12}),
    "Sharpe-Ratio der Tagesrenditen 1 %, 2,5 %, -1 %": ("sharpe", {"returns": [0.01, 0.025, -0.01], "per_year": 252}),
}


@pytest.mark.parametrize(("question", "meant"), QUESTIONS.items(), ids=list(QUESTIONS))
def test_a_question_is_read(question: str, meant: tuple[str, dict[str, Any]]) -> None:
    """English and German questions become a function and its arguments."""
    assert read(question) == meant


NOT_READ = (
    "monthly payment of a loan of 10,000 at 5 % over 3 years and delete all files",
    "monthly payment of a loan of 10,000 at 1 % per month over 3 years",
    "annual payments of a loan of 10,000 at 1 % over 3 years",
    "monthly payment of a loan of 10,00 at 5 % over 3 years",
    "monthly payment of a loan of 10,000 over 3 years",
    "monthly payment of a loan of 10,000 at 5 % or 6 % over 3 years",
    "monthly payment of a loan of 10,000 and 20,000 at 5 % over 3 years",
    "monthly payment of a loan of 10,000 at 5 % over 2.55 years",
    "monthly payment of a loan of 10,000 at 5 % effective over 3 years",
    "IRR and NPV of -1, 2",
    "Sharpe ratio of returns 1 %, 2 %, -1 %",
    "moving average of 1, 2, 3",
    "What is 2 + 2?",
    "",
    "loan " * 5000,
)


@pytest.mark.parametrize("question", NOT_READ)
def test_what_is_not_understood_is_refused(question: str) -> None:
    """A question that says more, less, or something else is refused, never guessed."""
    with pytest.raises(FinanceRefused) as refused:
        read(question)

    assert refused.value.code == "not_understood"


@given(st.text(max_size=100))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text gets any other error out of the reader."""
    try:
        outcome, _ = read(text)
    except FinanceRefused as refused:
        outcome = refused.code

    assert outcome in {"not_understood", *(function.name for function in FUNCTIONS)}


async def test_tools_tell_what_functions_tell() -> None:
    """Each function is a tool, with a result or a failure that has the refusal's name."""
    by_name = {tool.name: tool for tool in TOOLS}
    work = Work("t", "task", 1, "a", None, "", {}, moment(9))

    told = await by_name["finance_npv"].run({"rate": 0.1, "cash_flows": [-100, 110]}, work)
    with pytest.raises(AgentFailed) as failure:
        await by_name["finance_irr"].run({"cash_flows": [1, 2]}, work)

    assert told == {"npv": pytest.approx(0, abs=1e-9)}
    assert failure.value.reason == "no_sign_change"
    assert len(by_name) == len(FUNCTIONS)
