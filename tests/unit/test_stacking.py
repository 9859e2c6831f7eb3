"""Weights of signals: the best that are not negative, as another solver finds them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from learning.stacking import weights


@settings(deadline=None, max_examples=200)
@given(
    seed=st.integers(0, 10_000),
    signals=st.integers(1, 5),
    precision=st.floats(0.01, 50.0),
    alike=st.booleans(),
    noise=st.floats(0, 5),
)
def test_weights_are_the_best_that_are_not_negative(seed: int, signals: int, precision: float, alike: bool, noise: float) -> None:
    """Least squares under "no weight below zero" has one solution, and scipy finds the same, however alike signals are."""
    bits = np.random.default_rng(seed)
    table = bits.standard_normal((20, signals))
    if alike:
        table = table @ bits.standard_normal((signals, signals))
    came = table @ bits.standard_normal(signals) + noise * bits.standard_normal(20)
    start = bits.uniform(0.1, 1.0, signals)

    found = weights((table.T @ table).tolist(), (table.T @ came).tolist(), start.tolist(), precision)

    rows = np.vstack([table, np.sqrt(precision) * np.eye(signals)])
    wanted, _ = nnls(rows, np.append(came, np.sqrt(precision) * start))
    assert found == pytest.approx(wanted.tolist(), abs=1e-7)


def test_a_signal_that_starts_at_zero_stays_there() -> None:
    """A signal that is switched off gets no weight, however well it would do; the others share the work."""
    products, told = [[10.0, 8.0], [8.0, 10.0]], [10.0, 8.0]

    assert weights(products, told, [0.0, 0.5], 1.0) == [0.0, pytest.approx(8.5 / 11.0)]


def test_nothing_seen_leaves_weights_where_they_start() -> None:
    """Without an outcome the weights are those believed at first."""
    nothing = [[0.0] * 3 for _ in range(3)]

    assert weights(nothing, [0.0] * 3, [0.3, 0.4, 0.3], 2.0) == pytest.approx([0.3, 0.4, 0.3])
