"""The figures of `smolit bench start`."""

from bench.command_start import Start, Told, figures_of


def test_only_warm_starts_count() -> None:
    """The start that made the folder is told apart, and moves no middle."""
    cold, warm = _start(50.0, 60.0), [_start(8.0, 9.0), _start(10.0, 11.0), _start(9.0, 10.0)]

    found = figures_of(cold, warm)

    assert (found.up_s.value, found.answer_s.value) == (9.0, 10.0)
    assert found.cold.up_s == 50.0


def _start(up_s: float, answer_s: float) -> Start:
    return Start(up_s, answer_s, True, (Told(1.0, "starting kafka"),), 0.1)
