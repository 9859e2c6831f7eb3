"""Variant assignment is sticky, fair, and unrelated between experiments."""

import math
from collections import Counter

import pytest
from scipy import stats

from learning.assignment import assign
from learning.errors import InvalidAssignment
from learning.statistics import uniformity

UNITS = [f"user-{number}" for number in range(100_000)]
FEW = UNITS[:20_000]
HALVES = (("control", 1.0), ("trial", 1.0))


@pytest.mark.parametrize("salt", ["first", "second", ""])
def test_units_fall_evenly(salt: str) -> None:
    """Over 100,000 units, four variants of equal weight get equal shares (chi-squared, p > 0.001), whatever the salt."""
    weights = [(f"v{number}", 1.0) for number in range(4)]
    counts = Counter(assign(salt, unit, weights) for unit in UNITS)

    assert uniformity([counts[variant] for variant, _ in weights]) > 0.001


def test_units_fall_by_the_weights() -> None:
    """Unequal weights give shares in their ratio (chi-squared, p > 0.001)."""
    weights = (("control", 9.0), ("trial", 1.0), ("other", 2.0))
    counts = Counter(assign("weights", unit, weights) for unit in FEW)

    assert uniformity([counts[variant] for variant, _ in weights], [weight for _, weight in weights]) > 0.001


def test_experiments_do_not_follow_one_another() -> None:
    """Whom one experiment puts into its trial says nothing about another experiment's (p > 0.001)."""
    table = Counter((assign("one", unit, HALVES), assign("two", unit, HALVES)) for unit in FEW)
    names = [variant for variant, _ in HALVES]

    assert stats.chi2_contingency([[table[a, b] for b in names] for a in names]).pvalue > 0.001


def test_a_unit_keeps_its_variant() -> None:
    """Assignment is a pure function, and the order in which variants are listed plays no part."""
    assert [assign("s", unit, HALVES) for unit in FEW[:500]] == [assign("s", unit, HALVES[::-1]) for unit in FEW[:500]]


def test_raising_a_weight_moves_only_to_that_variant() -> None:
    """From 1:1:1 to 2:1:1 only units that now belong to the grown variant move: one in six, the least possible."""
    before = (("a", 1.0), ("b", 1.0), ("c", 1.0))
    after = (("a", 2.0), ("b", 1.0), ("c", 1.0))
    moves = [(old, new) for old, new in _pairs(before, after) if old != new]

    assert {new for _, new in moves} == {"a"}
    assert len(moves) / len(FEW) == pytest.approx(1 / 2 - 1 / 3, abs=4 * math.sqrt(1 / 6 * 5 / 6 / len(FEW)))


def test_a_new_variant_takes_from_all_and_moves_nobody_else() -> None:
    """Adding a variant moves only the units that it gets."""
    moves = {new for old, new in _pairs(HALVES, (*HALVES, ("late", 0.5))) if old != new}

    assert moves == {"late"}


def test_a_variant_of_weight_zero_gets_nobody() -> None:
    """A variant can be switched off by its weight."""
    assert {assign("s", unit, (("on", 1.0), ("off", 0.0))) for unit in FEW[:200]} == {"on"}


@pytest.mark.parametrize("weights", [(), (("a", 0.0),), (("a", -1.0), ("b", 1.0)), (("a", math.nan),), (("a", 1.0), ("a", 1.0))])
def test_what_defines_no_assignment_is_refused(weights: tuple[tuple[str, float], ...]) -> None:
    """No variant, no positive weight, an impossible weight and a name listed twice are refused by name."""
    with pytest.raises(InvalidAssignment):
        assign("s", "unit", weights)


def _pairs(before: tuple[tuple[str, float], ...], after: tuple[tuple[str, float], ...]) -> list[tuple[str, str]]:
    return [(assign("moves", unit, before), assign("moves", unit, after)) for unit in FEW]
