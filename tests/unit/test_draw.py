"""Draws are uniform, repeatable, and have nothing to do with one another."""

import math

import pytest
from scipy import stats

from learning.draw import draw, sample
from learning.errors import InvalidProbabilities

SECRET = b"a secret of some length"
DRAWS = 10_000


def test_a_draw_repeats() -> None:
    """The same secret and parts give the same number, for ever."""
    assert draw(SECRET, "choice", "task-1", 1) == 0.426168963669998


def test_draws_are_uniform() -> None:
    """Draws over tasks fall evenly into 100 cells (chi-squared, p > 0.001)."""
    cells = [0] * 100
    for task in range(DRAWS):
        cells[int(draw(SECRET, "choice", f"task-{task}", 1) * 100)] += 1

    assert stats.chisquare(cells).pvalue > 0.001


@pytest.mark.parametrize("other", [("choice", 2), ("variant", 1)])
def test_draws_of_other_attempts_and_purposes_are_independent(other: tuple[str, int]) -> None:
    """A task's draw says nothing about its next attempt's, nor about a draw for another purpose (p > 0.001)."""
    table = [[0] * 10 for _ in range(10)]
    for task in range(DRAWS):
        first = draw(SECRET, "choice", f"task-{task}", 1)
        second = draw(SECRET, other[0], f"task-{task}", other[1])
        table[int(first * 10)][int(second * 10)] += 1

    assert stats.chi2_contingency(table).pvalue > 0.001


def test_another_secret_draws_otherwise() -> None:
    """Without the secret a draw cannot be foretold."""
    assert draw(SECRET, "choice", "task-1", 1) != draw(b"another", "choice", "task-1", 1)


@pytest.mark.parametrize(("first", "second"), [(("ab", "c"), ("a", "bc")), ((1,), ("1",)), (("a", ""), ("a",)), (("",), ())])
def test_parts_are_framed(first: tuple[str | int, ...], second: tuple[str | int, ...]) -> None:
    """Parts that read alike when glued together draw apart."""
    assert draw(SECRET, *first) != draw(SECRET, *second)


def test_draws_stay_below_one() -> None:
    """The largest number 53 bits can make is below one."""
    assert ((2**64 - 1) >> 11) * 2.0**-53 < 1.0
    assert all(0.0 <= draw(SECRET, number) < 1.0 for number in range(1000))


def test_samples_follow_the_probabilities() -> None:
    """Agents are sampled as often as their probabilities say (chi-squared, p > 0.001)."""
    shares = (0.5, 0.3, 0.15, 0.05)
    counts = [0] * 4
    for task in range(DRAWS):
        counts[sample(shares, draw(SECRET, "choice", task))] += 1

    assert stats.chisquare(counts, [share * DRAWS for share in shares]).pvalue > 0.001


def test_impossible_agents_are_never_sampled() -> None:
    """A share of zero is never hit, at either end of the range."""
    assert sample((0.0, 1.0, 0.0), 0.0) == 1
    assert sample((0.0, 1.0, 0.0), math.nextafter(1.0, 0.0)) == 1
    assert sample((0.1,) * 10, math.nextafter(1.0, 0.0)) == 9


@pytest.mark.parametrize(
    ("shares", "u"),
    [((0.5, 0.6), 0.1), ((1.5, -0.5), 0.1), ((math.nan, 1.0), 0.1), ((1.0,), 1.0), ((1.0,), -0.1), ((), 0.5)],
)
def test_what_is_no_distribution_is_refused(shares: tuple[float, ...], u: float) -> None:
    """Shares that are negative, not finite or do not sum to one, and draws outside [0, 1), are refused by name."""
    with pytest.raises(InvalidProbabilities):
        sample(shares, u)
