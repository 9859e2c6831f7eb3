"""Chances beside what came: how far off they are, and how far off true ones would be by luck."""

import numpy as np
import pytest

from learning.reliability import brier, calibration_error, error_by_chance, groups

SIZE = 1_000


def test_a_gap_counts_by_its_cases() -> None:
    """Three cases told .9 that came in one of three, and one told .2 that did not come."""
    found = groups(np.array([0.9, 0.9, 0.9, 0.2]), np.array([1.0, 0.0, 0.0, 0.0]))

    assert [one.count for one in found] == [1, 3]
    assert [each for one in found for each in (one.told, one.came)] == pytest.approx([0.2, 0.0, 0.9, 1 / 3])
    assert calibration_error(found) == pytest.approx((0.2 + 3 * (0.9 - 1 / 3)) / 4)
    assert brier(np.array([0.9, 0.2]), np.array([1.0, 0.0])) == pytest.approx((0.01 + 0.04) / 2)
    assert (calibration_error([]), error_by_chance([]), brier(np.array([]), np.array([]))) == (0.0, 0.0, 0.0)


def test_luck_alone_makes_the_error_that_is_said() -> None:
    """Of 200 draws from true chances, the mean calibration error is what was told beforehand; a chance that lies shows more."""
    bits = np.random.default_rng(3)
    chances = bits.beta(3.0, 3.0, SIZE)
    drawn = [groups(chances, (bits.random(SIZE) < chances).astype(np.float64)) for _ in range(200)]
    lied = groups(np.clip(chances + 0.1, 0.0, 1.0), (bits.random(SIZE) < chances).astype(np.float64))

    assert np.mean([calibration_error(each) for each in drawn]) == pytest.approx(error_by_chance(drawn[0]), rel=0.05)
    assert calibration_error(lied) > 2.0 * error_by_chance(lied)
