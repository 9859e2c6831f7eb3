"""A chart as a PNG, drawn by matplotlib, which only those need who want pictures."""

from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from smolit.errors import PlotLibraryMissing
from smolit.plot.chart import Chart, Mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK, _SHADE, _REFERENCE = "#1f4e79", "#9dc3e6", "#b85c00"
_DPI = 150


def write_png(chart: Chart, path: Path) -> None:
    """Write a chart to a file.

    Raises:
        PlotLibraryMissing: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlotLibraryMissing(
            "a PNG needs matplotlib; install it with `python -m pip install --editable '.[plot]'` in smolit's folder"
        ) from error
    height = 4.5 if chart.stream else 1.8 + 0.45 * len(chart.marks)
    figure = Figure(figsize=(8, height), layout="constrained")
    axes = figure.add_subplot()
    (_stream if chart.stream else _side_by_side)(axes, chart)
    axes.set_title(chart.title)
    axes.grid(visible=True, alpha=0.3)
    figure.savefig(path, format="png", dpi=_DPI)


def _stream(axes: "Axes", chart: Chart) -> None:
    """Draw marks that follow each other: each in the middle of the tasks that it is about."""
    ends = list(accumulate(mark.count for mark in chart.marks))
    middles = [end - mark.count / 2 for end, mark in zip(ends, chart.marks, strict=True)]
    lows, highs = zip(*(_ends(mark) for mark in chart.marks), strict=True)
    axes.fill_between(middles, lows, highs, color=_SHADE, alpha=0.5, label="95 % interval")
    axes.plot(middles, [_number(mark.value) for mark in chart.marks], color=_INK, marker="o", label=chart.measure)
    _draw_reference(axes, chart.reference)
    axes.set_xlim(0, ends[-1])
    axes.set_ylim(*chart.bounds())
    axes.set_xlabel(f"{chart.counted} in the order of their first choice")
    axes.set_ylabel(chart.measure)
    axes.legend(loc="best", fontsize="small")


def _side_by_side(axes: "Axes", chart: Chart) -> None:
    """Draw marks that stand for themselves, the first on top."""
    places = range(len(chart.marks))
    for place, mark in zip(places, chart.marks, strict=True):
        low, high = _ends(mark)
        axes.plot([low, high], [place, place], color=_SHADE, linewidth=6, solid_capstyle="butt")
        axes.plot([_number(mark.value)], [place], color=_INK, marker="o")
    axes.set_yticks(places, [_told(mark, chart) for mark in chart.marks])
    axes.set_ylim(len(chart.marks) - 0.5, -0.5)
    axes.set_xlim(*chart.bounds())
    axes.set_xlabel(f"{chart.measure}; bars are 95 % intervals")
    axes.set_ylabel(chart.subject)


def _draw_reference(axes: "Axes", reference: Mark | None) -> None:
    """Draw the reference as a line through everything, with its interval."""
    if reference is None or reference.value is None:
        return
    axes.axhline(reference.value, color=_REFERENCE, linestyle="--", label=f"{reference.label} (estimate)")
    axes.axhspan(*_ends(reference), color=_REFERENCE, alpha=0.12)


def _ends(mark: Mark) -> tuple[float, float]:
    """Return the ends of a mark's interval; where it has none, nothing is drawn."""
    return _number(mark.low), _number(mark.high)


def _number(figure: float | None) -> float:
    """Return a figure as matplotlib wants it: what is not known is not drawn."""
    return float("nan") if figure is None else figure


def _told(mark: Mark, chart: Chart) -> str:
    """Return a mark's label with what stands beside it."""
    return f"{mark.label}\n{mark.count} {chart.counted}, {chart.noted} {mark.note}"
