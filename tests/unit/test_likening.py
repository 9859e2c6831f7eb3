"""What the match of text and description is worth: a slope within agents, above what is usual for each."""

import numpy as np
import pytest

from learning.likening import SLOPE, Likening

ROWS = np.array([0, 1])


def learned(slope: float, count: int = 400, seed: int = 1) -> Likening:
    """Return what two agents teach; the second is better, and its description lies farther from everything."""
    bits, found = np.random.default_rng(seed), Likening()
    found.join(0)
    found.join(1)
    for number in range(count):
        row = number % 2
        fit = 0.4 - 0.3 * row + 0.1 * float(bits.standard_normal())
        chance = 0.3 + 0.4 * row + slope * (fit - 0.4 + 0.3 * row)
        found.add(row, fit, float(bits.random() < chance))
    return found


def test_the_slope_is_the_one_within_agents() -> None:
    """That a good agent has a far description does not turn the slope round."""
    assert learned(1.0, 4_000).slope == pytest.approx(1.0, abs=0.35)
    assert learned(0.0, 4_000).slope == pytest.approx(0.0, abs=0.25)


def test_before_anything_is_known_a_near_description_is_worth_something() -> None:
    """The slope starts at what is believed at first, and one that would be negative is none."""
    nothing = Likening()
    nothing.join(0)

    assert nothing.slope == SLOPE
    assert learned(-3.0, 4_000).slope == 0.0


def test_an_agent_that_lies_near_everything_gains_nothing_by_it() -> None:
    """What counts is how much nearer than usual for the agent; a fit as usual is worth about nothing for either."""
    found = learned(1.0, 4_000)
    usual, nearer = found.worth(np.array([0.4, 0.1]), ROWS), found.worth(np.array([0.5, 0.2]), ROWS)

    assert usual == pytest.approx(np.zeros(2), abs=0.02)
    assert nearer == pytest.approx(np.full(2, 0.1 * found.slope), abs=0.02)


def test_a_description_that_was_not_compared_says_nothing() -> None:
    """Without a cosine the signal is zero; an agent never met is compared with what is usual for all."""
    found = learned(1.0)

    assert found.worth(np.array([np.nan, 0.9]), np.array([0, -1]))[0] == 0.0
    assert found.worth(np.array([np.nan, 0.9]), np.array([0, -1]))[1] > 0.1


def test_a_corrected_reward_is_as_if_it_had_been_right() -> None:
    """Moving equals adding the right reward; an agent that is forgotten is as if it never was."""
    moved, right = Likening(), Likening()
    for one in (moved, right):
        one.join(0)
        one.add(0, 0.3, 1.0)
    moved.add(0, 0.1, 1.0)
    moved.move(0, 0.1, -1.0)
    right.add(0, 0.1, 0.0)

    assert moved.sums == pytest.approx(right.sums)
    moved.forget(0)
    assert not moved.sums.any()
