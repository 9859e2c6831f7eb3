"""Charts without a stack: what they show, how the terminal draws them, and pictures that are what they claim to be."""

import builtins
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from projections.course import Cost, Share, Stretch
from smolit.cli import app
from smolit.errors import PlotLibraryMissing
from smolit.plot.chart import Chart, Mark, agents_chart, cost_chart, learning_chart
from smolit.plot.picture import write_png
from smolit.plot.terminal import POINT, REFERENCE, drawn, legend

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)


def stretch(part: int | None, mean: float, half: float | None = 0.05, **fields: Any) -> Stretch:
    """Return one part of a stream, or the whole of it."""
    low, high = (None, None) if half is None else (mean - half, mean + half)
    defaults: dict[str, Any] = {"tasks": 80, "supported": 80, "uniform": 0.5, "uniform_low": 0.45, "uniform_high": 0.55}
    since = NOON + timedelta(hours=part or 0)
    figures = {"mean_reward": mean, "reward_low": low, "reward_high": high}
    return Stretch(part=part, since=since, until=since, **figures, **{**defaults, **fields})


CURVE = [stretch(1, 0.5), stretch(2, 0.6), stretch(3, 0.7), stretch(None, 0.6, tasks=240, supported=240)]
SHARES = [
    Share(agent="anna", chosen=75, share=0.75, rewarded=70, mean_reward=0.8, reward_low=0.75, reward_high=0.85),
    Share(agent="bert", chosen=25, share=0.25, rewarded=0, mean_reward=None, reward_low=None, reward_high=None),
]
COSTS = [
    Cost(
        scope="default", kind="law", attempts=4, costed=4, cost_microusd=8_000,
        mean_microusd=2_000.0, low_microusd=1_000.0, high_microusd=3_000.0,
    ),
    Cost(
        scope="default", kind=None, attempts=1, costed=0, cost_microusd=None,
        mean_microusd=None, low_microusd=None, high_microusd=None,
    ),
]  # fmt: skip
CHARTS = [learning_chart(CURVE, None), agents_chart(SHARES, "default"), cost_chart(COSTS, None)]
EVERY = pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.title)


def lines(chart: Chart) -> list[str]:
    """Return the drawn cell of each line."""
    return [str(row[-1]) for row in drawn(chart)[1]]


def test_a_better_stretch_is_drawn_further_right() -> None:
    """Points follow the figures, to scale, and all lines share one axis."""
    points = [line.index(POINT) for line in lines(CHARTS[0])]
    half = [line.index("┤") - line.index("├") for line in lines(CHARTS[0])]

    assert points == sorted(points)
    assert abs((points[2] - points[1]) - (points[1] - points[0])) <= 1
    assert max(half) - min(half) <= 1


def test_the_reference_runs_through_every_line() -> None:
    """A uniform choice is a bar at the same place in each line, and the legend says what it is."""
    later = [line.index(REFERENCE) for line in lines(CHARTS[0])[1:]]

    assert len(set(later)) == 1
    assert "a uniform choice among the same candidates: 0.500 (0.450 to 0.550), from 240 choices" in str(legend(CHARTS[0]))


def test_where_no_choice_says_anything_of_all_candidates_there_is_no_reference() -> None:
    """A policy that gives some agent no chance leaves nothing to estimate a uniform choice from."""
    unsupported = {"supported": 0, "uniform": None, "uniform_low": None, "uniform_high": None}
    chart = learning_chart([stretch(1, 0.5, **unsupported), stretch(None, 0.5, **unsupported)], "default")

    assert chart.reference is None
    assert legend(chart) is None
    assert REFERENCE not in "".join(lines(chart))


def test_what_is_not_known_is_not_drawn() -> None:
    """An agent without a reward and a kind without a cost have a line, and nothing on it."""
    assert lines(CHARTS[1])[1] == lines(CHARTS[2])[1] == ""
    assert drawn(CHARTS[2])[1][1][:2] == ("(no kind)", 1)


def test_a_single_reward_has_a_point_and_no_interval() -> None:
    """One value says nothing of its spread."""
    (line,) = lines(learning_chart([stretch(1, 0.5, None), stretch(None, 0.5, None, uniform=None)], None))

    assert line.strip() == POINT


def test_costs_are_dollars_and_scopes_are_named_where_there_are_several() -> None:
    """2,000 millionths a try are two dollars per thousand tries."""
    other = Cost(**{**{name: getattr(COSTS[0], name) for name in Cost.__struct_fields__}, "scope": "other"})

    chart = cost_chart([COSTS[0], other], None)

    assert [mark.label for mark in chart.marks] == ["default/law", "other/law"]
    assert (chart.marks[0].value, chart.marks[0].low, chart.marks[0].note) == (2.0, 1.0, "0.008")


@EVERY
def test_a_chart_fits_a_terminal(chart: Chart) -> None:
    """No line is wider than its axis, and the axis names both of its ends."""
    columns, rows = drawn(chart)

    assert all(len(row) == len(columns) for row in rows)
    assert max(len(line) for line in lines(chart)) <= len(columns[-1])
    begin, end = map(float, columns[-1].split())
    assert begin < end


@EVERY
def test_a_picture_is_a_png_with_labelled_axes(chart: Chart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sees the picture alone knows what is measured, in which unit, of what, and with which interval."""
    from matplotlib.figure import Figure

    written: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *more, **named: (written.append(self), save(self, *more, **named)))

    write_png(chart, tmp_path / "chart.png")

    content = (tmp_path / "chart.png").read_bytes()
    (axes,) = written[0].axes
    labels = f"{axes.get_xlabel()} {axes.get_ylabel()}"
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(content[16:20], "big") == 1_200
    assert axes.get_title() == chart.title
    assert chart.measure in labels
    assert "95 % interval" in labels + str(axes.get_legend_handles_labels()[1])


def test_without_matplotlib_one_sentence_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture's library is optional; who asks for a picture without it is told what to type."""
    known = builtins.__import__

    def missing(name: str, *more: Any, **named: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return known(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", missing)

    with pytest.raises(PlotLibraryMissing, match=r"pip install --editable '\.\[plot\]'"):
        write_png(CHARTS[0], tmp_path / "chart.png")
    assert not (tmp_path / "chart.png").exists()


def test_a_picture_in_no_folder_is_refused_before_anything_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake in what was typed is told at once, stack or no stack."""
    code = app.run(["plot", "learning", "--png", str(tmp_path / "none" / "chart.png")])

    assert code == 2
    assert "there is no folder" in capsys.readouterr().err


def test_a_chart_of_equal_figures_has_an_axis() -> None:
    """Where all figures are one, there is still some room on either side of it."""
    low, high = Chart(title="", subject="", measure="", counted="", marks=(Mark("x", 1, 0.5, 0.5, 0.5),)).bounds()

    assert low < 0.5 < high
