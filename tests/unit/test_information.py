"""Whether another task given to several agents is worth what it costs."""

import math

import numpy as np
import pytest

from learning.information import Stakes, Standing, Verdict, best_batch, expected_gain, expected_maximum

EVEN = [Standing("a", 20, 10.0), Standing("b", 20, 10.0)]
SETTLED = [Standing("a", 5_000, 4_000.0), Standing("b", 5_000, 2_000.0)]


def test_the_expected_maximum_of_two_equal_normals_is_known() -> None:
    """Of two standard normals it is 1 / sqrt(pi); of three 1.5 / sqrt(pi)."""
    for count, expected in ((2, 1.0), (3, 1.5)):
        found = expected_maximum(np.zeros(count), np.ones(count))

        assert found == pytest.approx(expected / math.sqrt(math.pi), abs=1e-5)


def test_the_expected_maximum_is_what_drawing_gives() -> None:
    """Means and spreads of any size, one of them a constant."""
    bits = np.random.default_rng(1)
    means, spreads = np.array([0.5, 0.45, 0.6, 0.2]), np.array([0.1, 0.2, 0.0, 0.3])
    drawn = (means + spreads * bits.standard_normal((400_000, 4))).max(axis=1)

    assert expected_maximum(means, spreads) == pytest.approx(float(drawn.mean()), abs=4 * float(drawn.std()) / 632)
    assert expected_maximum(means, np.zeros(4)) == 0.6


def test_more_outcomes_tell_more_and_never_less_than_nothing() -> None:
    """The gain grows with the batch, and with agents that are hard to tell apart."""
    gains = [expected_gain(EVEN, {"a": tasks, "b": tasks}) for tasks in (0, 1, 10, 100)]

    assert gains[0] == 0.0
    assert gains == sorted(gains)
    assert gains[1] < gains[3]
    assert expected_gain(SETTLED, {"a": 10, "b": 10}) < 1e-9 < gains[1]
    assert expected_gain([], {}) == 0.0


def test_an_agent_that_is_not_asked_tells_nothing() -> None:
    """Only those that do the tasks are learned about: of a settled leader and a stranger the stranger counts."""
    known = [Standing("leader", 1_000, 600.0), Standing("new", 0, 0.0)]

    assert expected_gain(known, {"new": 10}) > 100 * expected_gain(known, {"leader": 10})


def test_a_batch_pays_while_it_is_cheap_and_much_is_to_come() -> None:
    """It depends on price and horizon as it should, and a single task need not pay for thirty to do so."""
    costs = {"a": 100.0, "b": 100.0}
    much, little = Stakes(horizon=10_000, worth_microusd=10_000), Stakes(horizon=10, worth_microusd=100)

    assert best_batch(EVEN, costs, 100, much).pays
    assert not best_batch(EVEN, costs, 100, little).pays
    assert not best_batch(SETTLED, costs, 100, much).pays
    assert best_batch(EVEN, costs, 0, much) == Verdict(0, 0.0, 0.0)


def test_a_batch_may_pay_where_one_task_does_not() -> None:
    """One outcome cannot turn the order round, many can: looking one task ahead would stop too early."""
    apart = [Standing("a", 30, 17.0), Standing("b", 30, 13.0)]
    costs, stakes = {"a": 1.0, "b": 1.0}, Stakes(horizon=10_000, worth_microusd=10.0)

    assert not best_batch(apart, costs, 1, stakes).pays
    assert best_batch(apart, costs, 64, stakes).pays
