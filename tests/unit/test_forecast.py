"""Forecasts: what is refused, that nobody looks ahead, that intervals hold, and what a series with a pattern brings."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.forecast.method import Method, MethodFailed, autoregressive, continued, looks_ahead, methods, naive, seasonal_naive
from agents.forecast.reading import columns_of, series_in
from agents.forecast.regression import quantile, regress
from agents.forecast.rolling import back_test, forecast, origins_of, widths
from agents.forecast.series import SeriesRefused, distance, moment_of, series_of
from agents.forecast.thread import one_thread

NOISE = np.random.default_rng(7)
WAVE = [float(10 + 3 * np.sin(2 * np.pi * place / 12) + place / 40) for place in range(120)]
MONTHS = [f"{2010 + place // 12}-{place % 12 + 1:02d}" for place in range(120)]


def refused(*given: Any, **more: Any) -> str:
    """Return the code with which a series is refused; there is a sentence, too."""
    with pytest.raises(SeriesRefused) as refusal:
        series_of(*given, **more)
    assert len(str(refusal.value)) > 20
    return refusal.value.code


REFUSALS: dict[str, tuple[tuple[Any, ...], str]] = {
    "too short": ((WAVE[:23],), "too_short"),
    "nothing": (([],), "too_short"),
    "constant": (([5.0] * 40,), "constant"),
    "a gap": (([*WAVE[:30], None, *WAVE[30:]],), "gaps"),
    "not a number": (([*WAVE[:30], float("nan")],), "gaps"),
    "infinite": (([*WAVE[:30], float("inf")],), "gaps"),
    "a text": (([*WAVE[:30], "7"],), "gaps"),
    "a truth": (([*WAVE[:30], True],), "gaps"),
    "no list": (("1,2,3",), "no_series"),
    "a month is missing": ((WAVE[:119], MONTHS[:50] + MONTHS[51:]), "gaps"),
    "a month twice": ((WAVE, [*MONTHS[:50], MONTHS[49], *MONTHS[51:]]), "repeated"),
    "newest first": ((WAVE, MONTHS[::-1]), "out_of_order"),
    "other days": ((WAVE[:30], [f"2020-01-{1 + place}" for place in range(29)] + ["2021-05-05"]), "bad_date"),
    "fewer dates": ((WAVE, MONTHS[:10]), "no_series"),
    "no date": ((WAVE, ["soon"] * 120), "bad_date"),
    "a season too long": ((WAVE, None, 50), "too_short"),
    "no season": ((WAVE, None, 0), "bad_season"),
}


@pytest.mark.parametrize(("given", "code"), REFUSALS.values(), ids=list(REFUSALS))
def test_what_is_no_series_is_refused_with_a_sentence(given: tuple[Any, ...], code: str) -> None:
    """Gaps, repeats, disorder, shortness and constancy are named, and nothing is filled in."""
    assert refused(*given) == code


@pytest.mark.parametrize(
    ("dates", "step", "season"),
    [
        (MONTHS, "monthly", 12),
        ([str(1900 + place) for place in range(120)], "yearly", 1),
        ([f"{1990 + place // 4}-{place % 4 * 3 + 1:02d}-01" for place in range(120)], "quarterly", 4),
        ([f"2024-01-{place // 24 + 1:02d}T{place % 24:02d}:00" for place in range(120)], "hourly", 24),
        (["2020-01-31", "2020-02-29", "2020-03-31", "2020-04-30"] * 0 + MONTHS, "monthly", 12),
    ],
)
def test_dates_say_how_far_apart_values_are(dates: list[str], step: str, season: int) -> None:
    """The distance of dates is found, and with it the usual cycle."""
    series = series_of(WAVE, dates)

    assert (series.step, series.season) == (step, season)


def test_ends_of_months_are_a_month_apart() -> None:
    """31 January, 29 February, 31 March, 30 April: one step each."""
    assert distance([moment_of(date) for date in ("2020-01-31", "2020-02-29", "2020-03-31", "2020-04-30")]) == "monthly"


def test_a_wave_goes_on() -> None:
    """A clean wave with a trend is continued: far better than by the naive one, inside the interval, as JSON."""
    told = forecast(series_of(WAVE[:96], MONTHS[:96]), 12)

    values = [one["value"] for one in told["forecast"]]
    assert values == pytest.approx(WAVE[96:108], abs=0.3)
    assert all(one["low"] <= one["value"] <= one["high"] for one in told["forecast"])
    assert told["scaled_error"] < 0.5
    assert told["season"] == 12
    assert json.loads(json.dumps(told)) == told


def peeking(values: Any, origins: Any, horizon: int) -> Any:
    """Foretell what is there: a method with a planted look into the future."""
    padded = np.concatenate([values, np.full(horizon, values[-1])])
    return np.array([padded[origin : origin + horizon] for origin in origins])


def centred(values: Any, origins: Any, horizon: int) -> Any:
    """Repeat the mean of the whole series: a leak by scaling, as it really happens."""
    return np.full((len(origins), horizon), values.mean())


@pytest.mark.parametrize("path", [peeking, centred])
def test_a_planted_look_into_the_future_is_caught(path: Any) -> None:
    """A method whose forecast changes with later values is found out, however it got at them."""
    assert looks_ahead(Method("planted", path), np.array(WAVE), 60, 6)


@pytest.mark.parametrize("season", [1, 12])
def test_no_method_of_ours_looks_ahead(season: int) -> None:
    """Each method that may serve keeps to what lies before its origin."""
    values = np.array(WAVE) + NOISE.normal(0, 0.3, 120)
    with one_thread():
        caught = [one.name for one in methods(values, season) if looks_ahead(one, values, 70, 6)]

    assert caught == []


def test_who_looks_ahead_does_not_get_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method that peeks wins the back-test, and the forecast is refused for it."""
    monkeypatch.setattr(
        "agents.forecast.rolling.methods",
        lambda *_: (Method("seasonal_naive", naive), Method("planted", peeking)),
    )
    values = [float(value) for value in np.cumsum(NOISE.normal(0, 1, 100))]

    with pytest.raises(SeriesRefused) as refusal:
        forecast(series_of(values), 4)

    assert refusal.value.code == "looked_ahead"


def test_simple_methods_are_what_a_hand_reckons() -> None:
    """Naive, seasonal naive and the regression on former values, on numbers that one can see."""
    values = np.arange(40.0)

    assert naive(values, [10], 2).tolist() == [[9.0, 9.0]]
    assert seasonal_naive(4)(values, [10, 11], 5).tolist() == [[6, 7, 8, 9, 6], [7, 8, 9, 10, 7]]
    assert autoregressive(3)(values, [30], 3)[0] == pytest.approx([30, 31, 32], abs=1e-6)


def test_a_method_that_fails_is_left_out() -> None:
    """What raises, or brings nothing finite, is no candidate; the naive one is always left."""
    broken = Method("broken", lambda *_: np.array([[np.nan]]))

    with pytest.raises(MethodFailed):
        continued(broken, np.array(WAVE), [50], 1)
    with one_thread():
        tested = back_test(np.array(WAVE[:40]), origins_of(40, 2, 1), 2, 1)
    assert {one.method.name for one in tested} >= {"naive", "combination"}


def test_intervals_hold_what_they_say_on_noise() -> None:
    """For errors that are alike at every origin, the interval holds 85 to 97 of 100 new ones, and grows with the step."""
    rng = np.random.default_rng(5)
    scale = np.sqrt(np.arange(1, 7))
    held = [np.abs(rng.normal(0, scale, 6)) <= widths(rng.normal(0, scale, (24, 6)), 0.9) for _ in range(400)]

    assert 0.85 <= float(np.mean(held)) <= 0.97
    assert np.diff(widths(rng.normal(0, scale, (24, 6)), 0.9)).min() >= 0


def test_the_conformal_quantile_is_the_one_of_the_paper() -> None:
    """Of nine errors, the greatest holds nine tenths of new ones; of nineteen, the eighteenth."""
    assert quantile(np.arange(1.0, 10.0), 0.9) == 9
    assert quantile(np.arange(1.0, 20.0), 0.9) == 18


def test_origins_leave_a_whole_horizon_and_refuse_what_is_too_short() -> None:
    """Each origin has as much past as future is needed, and there are at least five."""
    origins = origins_of(100, 6, 12)

    assert origins[-1] + 6 == 100
    assert origins[0] >= 24
    with pytest.raises(SeriesRefused, match="needs some"):
        origins_of(30, 12, 12)


CSV = "month;sales\n" + "".join(f"{month};{value:.2f}\n".replace(".", ",") for month, value in zip(MONTHS, WAVE, strict=True))


@pytest.mark.parametrize(
    "content",
    ["Datum;Umsatz\n14.03.2031;1.234,50\n15.03.2031;2,5\n", 'Datum,Umsatz\n14.03.2031,"1,234.50"\n15.03.2031,2.5\n'],
    ids=["decimal commas", "decimal points"],
)
def test_a_day_is_no_number_and_thousands_are_none_of_its_value(content: str) -> None:
    """Days with points stay text beside numbers with decimal commas; signs that part thousands go."""
    columns = columns_of(content.encode())

    assert columns["Datum"] == ["14.03.2031", "15.03.2031"]
    assert series_in(columns, None, None)[0] == [1234.5, 2.5]


def test_a_file_with_decimal_commas_becomes_a_series() -> None:
    """Dates and numbers are found by what they look like."""
    values, dates = series_in(columns_of(CSV.encode("cp1252")), None, None)

    assert values == pytest.approx(WAVE, abs=0.006)
    assert dates == MONTHS


@pytest.mark.parametrize(
    ("content", "value", "code"),
    [
        ("a,b\n1,2\n3,4\n", None, "no_column"),
        ("a,b\nx,y\nz,w\n", None, "no_column"),
        ("a,b\n1,2\n", "c", "no_column"),
        ("a,b\n1,2\n3\n", "a", "no_table"),
        ("", "a", "no_table"),
    ],
)
def test_a_file_that_is_not_clear_is_refused(content: str, value: str | None, code: str) -> None:
    """Several columns, none, a missing one, and ragged rows have names."""
    with pytest.raises(SeriesRefused) as refusal:
        series_in(columns_of(content.encode()), value, None)

    assert refusal.value.code == code


def houses(rows: int, seed: int = 3) -> dict[str, list[str]]:
    """Return a table in which a price depends on size, town and luck."""
    rng = np.random.default_rng(seed)
    size, town = rng.uniform(40, 200, rows), rng.choice(["bern", "thun", "biel"], rows)
    price = 3 * size + 100 * (town == "bern") + rng.normal(0, 20, rows)
    return {"size": [f"{one:.1f}" for one in size], "town": list(map(str, town)), "price": [f"{one:.2f}" for one in price]}


def test_a_table_is_learned_and_the_interval_holds() -> None:
    """Prices that were taken out are foretold far better than by the mean; nine in ten lie in the interval."""
    table, truth = houses(400), []
    for row in range(0, 400, 4):
        truth.append(float(table["price"][row]))
        table["price"][row] = ""

    told = regress(table, "price", 0.9)

    held = [one["low"] <= true <= one["high"] for one, true in zip(told["predictions"], truth, strict=True)]
    assert [one["row"] for one in told["predictions"][:2]] == [1, 5]
    assert 0.82 <= sum(held) / len(held) <= 0.98
    assert told["scaled_error"] < 0.3
    assert 0.85 <= told["back_test"]["covered"] <= 0.95


def test_a_column_that_gives_the_target_away_is_caught() -> None:
    """A copy of the target in other units is a look into the future, and is named."""
    table = houses(100)
    table["price_in_cents"] = [str(float(one) * 100) for one in table["price"]]

    with pytest.raises(SeriesRefused, match="price_in_cents") as refusal:
        regress(table, "price", 0.9)

    assert refusal.value.code == "gives_away"


def test_rows_in_order_are_never_foretold_from_later_ones() -> None:
    """With a level that jumps in the last third, folds in time miss it, folds at random do not."""
    table = {"place": [str(row % 7) for row in range(120)], "late": [str(int(row > 80)) for row in range(120)]}
    table["level"] = [str(100.0 * (row > 80) + row % 7 + row % 3) for row in range(120)]

    at_random, in_time = (regress(table, "level", 0.9, in_order) for in_order in (False, True))

    assert in_time["back_test"]["mean_absolute_errors"]["linear"] > 3 * at_random["back_test"]["mean_absolute_errors"]["linear"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda table: table.update(price=["7"] * 100), "constant"),
        (lambda table: table.update(price=["x", *table["price"][1:]]), "no_numbers"),
        (lambda table: table.update(price=[*table["price"][:20], *[""] * 80]), "too_short"),
        (lambda table: table.pop("price"), "no_column"),
        (lambda table: [table.pop("size"), table.pop("town")], "no_column"),
    ],
)
def test_a_table_that_cannot_be_learned_is_refused(change: Any, code: str) -> None:
    """A target that is missing, constant, no number or too rare, and a table without inputs, have names."""
    table = houses(100)
    change(table)

    with pytest.raises(SeriesRefused) as refusal:
        regress(table, "price", 0.9)

    assert refusal.value.code == code


def test_the_nile_is_foretold_better_than_by_its_last_year() -> None:
    """A real series (statsmodels' own, BSD): 100 years of the Nile's volume."""
    import statsmodels

    path = Path(statsmodels.__file__).parent / "datasets" / "nile" / "nile.csv"
    with path.open() as file:
        rows = list(csv.DictReader(file))
    told = forecast(series_of([float(row["volume"]) for row in rows], [row["year"] for row in rows]), 3)

    assert told["scaled_error"] < 0.85
    assert told["back_test"]["origins"] == 24
