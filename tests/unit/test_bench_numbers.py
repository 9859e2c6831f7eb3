"""Benches of the workers of numbers: what they measure is what is asked, and a broken worker shows."""

import random

import pytest

from bench.agents import arithmetic, finance, forecast, specialised, table_analysis
from bench.agents.real import Told, all_series, tables
from bench.agents.share import share


def test_arithmetic_is_never_wrong_and_executes_nothing() -> None:
    """All questions are right or refused, texts that are no arithmetic are refused, and of 200 escapes none runs."""
    figures = {figure.metric: figure for figure in arithmetic.measure(3)}

    assert figures["right"].value.value > 0.98
    assert figures["wrong"].value.value == 0
    assert figures["refused"].value.value == 1
    assert figures["escapes_executed"].value.value == 0
    assert figures["escapes_executed"].n >= 200
    assert figures["right"].baseline_value is not None
    assert figures["right"].baseline_value.value < 0.8


def test_a_broken_calculator_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that forgets brackets is measured as wrong."""
    monkeypatch.setattr(arithmetic, "answered", arithmetic.left_to_right)

    assert next(one for one in arithmetic.measure(3) if one.metric == "wrong").value.low > 0.1


def test_finance_equals_its_references() -> None:
    """Every case is the reference's, and no question is taken for another."""
    figures = {figure.metric: figure.value.value for figure in finance.measure(5)}

    assert figures["equal"] == 1
    assert figures["misunderstood"] == 0
    assert figures["understood"] > 0.9
    assert figures["misunderstood_free"] == 0
    assert 0.6 < figures["dealt_with_free"] < 1


def test_questions_of_finance_differ_and_say_what_they_mean() -> None:
    """They are many, in two languages, and none is counted as understood by chance."""
    asked = list(finance.questions(random.Random(1), 60))

    assert len({text for text, _, _ in asked}) == 60
    assert sum("Kapitalwert" in text or "Darlehen" in text or "Kredit" in text for text, _, _ in asked) > 5


def test_a_forecast_of_a_real_series_is_judged_by_what_came() -> None:
    """Two origins of the Nile: every value is counted, and errors are those of the volumes."""
    nile = next(one for one in all_series() if one.name == "nile")

    found = forecast.judge(Told("nile", nile.values, 1, 3), 2)

    assert found.count == 6
    assert 0 <= found.held <= 6
    assert 10 < found.miss < 500
    assert forecast.ratio([found]) == pytest.approx(found.miss / found.base)


def test_a_table_loses_a_fifth_of_its_target() -> None:
    """What is set aside is foretold, better than by the mean where there is something to learn."""
    columns, target = tables()["engel"]

    found = forecast.judge_table("engel", columns, target, random.Random(2))

    assert found.count == 47
    assert found.miss < 0.7 * found.base


def test_series_are_many_and_without_gaps() -> None:
    """All that are measured on are long enough, and finite."""
    found = all_series()

    assert len(found) >= 15
    assert len({one.name for one in found}) == len(found)
    assert all(len(one.values) >= 54 and len(set(one.values)) > 10 for one in found)


def test_questions_about_tables_are_answered_or_refused() -> None:
    """Most are right, hardly one is wrong, and the key-word baseline is far behind."""
    found = table_analysis.judged()

    assert len(found) == len(table_analysis.QUESTIONS) >= 50
    assert sum(right for _, right, _, _ in found) >= 40
    assert sum(not right and not refused for _, right, refused, _ in found) <= 1
    assert sum(base for *_, base in found) < 15


def test_tables_are_the_same_however_they_are_written() -> None:
    """Nine ways of writing three tables."""
    assert table_analysis.traps() == [True] * 27


def test_a_share_of_none_is_not_sure() -> None:
    """No hit in ten leaves up to three tenths."""
    assert share([False] * 10, 1).high == pytest.approx(0.3)
    assert share([True, False] * 50, 1).value == 0.5


def test_specialised_models_are_chosen_on_other_questions_than_they_are_judged_on() -> None:
    """Halves do not overlap and are all there is; the same seed says the same, and a specialist's figures are real scores."""
    setup, judged = specialised.halves(1)
    figures = {figure.metric: figure for figure in specialised.measure(1)}

    assert sum(map(len, setup.values())) == sum(map(len, judged.values())) == 1_000
    assert figures["best_of_domain"].n == 2_000
    assert figures["specialist_inside"].n + figures["specialist_outside"].n == 2_000
    assert [one.value for one in specialised.measure(1)] == [one.value for one in figures.values()]


def test_a_model_that_is_best_in_its_domain_is_chosen_there() -> None:
    """With enough questions; with fewer, the best of all is."""
    law = [{"general": 0.6, "lawyer": 1.0}] * specialised.LEAST
    rest = [{"general": 0.9, "lawyer": 0.0}] * 300

    assert specialised.chosen({"law": law, "rest": rest}) == ("general", {"law": "lawyer", "rest": "general"})
    assert specialised.chosen({"law": law[1:], "rest": rest})[1]["law"] == "general"
