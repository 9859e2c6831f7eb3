"""A chart in a terminal: a line per estimate, its interval drawn to scale, the reference as a bar through all lines."""

from collections.abc import Sequence

from smolit.plot.chart import Chart, Mark

WIDTH = 26
POINT, LEFT, RIGHT, BETWEEN, REFERENCE = "●", "├", "┤", "─", "┊"


def drawn(chart: Chart, width: int = WIDTH) -> tuple[Sequence[str], list[Sequence[object]]]:
    """Return columns and rows of the table that a chart is; the head of the last column is its axis."""
    low, high = chart.bounds()
    begin, end = _short(low), _short(high)
    axis = f"{begin}{end.rjust(width - len(begin))}"
    rows: list[Sequence[object]] = [
        (mark.label, mark.count, _figure(mark.value), _interval(mark), mark.note, _line(mark, chart.reference, low, high, width))
        for mark in chart.marks
    ]
    columns = (chart.subject, chart.counted, "mean", "95 % interval", chart.noted, axis)
    if not chart.noted:
        return (*columns[:4], axis), [(*row[:4], row[5]) for row in rows]
    return columns, rows


def heading(chart: Chart) -> str:
    """Return what stands above the chart: what it shows, and what is measured in which unit."""
    return f"{chart.title}: {chart.measure}"


def legend(chart: Chart) -> str | None:
    """Return what the bar through all lines is; None where there is none."""
    one = chart.reference
    if one is None or one.value is None:
        return None
    return f"{REFERENCE} {one.label} among the same candidates: {_figure(one.value)} ({_interval(one)}), from {one.count} choices"


def _line(mark: Mark, reference: Mark | None, low: float, high: float, width: int) -> str:
    """Return one estimate to scale."""
    cells = [" "] * width
    if mark.low is not None and mark.high is not None:
        first, last = (_place(figure, low, high, width) for figure in (mark.low, mark.high))
        cells[first : last + 1] = BETWEEN * (last + 1 - first)
        cells[first], cells[last] = LEFT, RIGHT
    if reference is not None and reference.value is not None:
        cells[_place(reference.value, low, high, width)] = REFERENCE
    if mark.value is not None:
        cells[_place(mark.value, low, high, width)] = POINT
    return "".join(cells).rstrip()


def _place(figure: float, low: float, high: float, width: int) -> int:
    """Return the cell that a figure falls into."""
    return min(width - 1, max(0, int((figure - low) / (high - low) * width)))


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _interval(mark: Mark) -> str:
    return "" if mark.low is None or mark.high is None else f"{mark.low:.3f} to {mark.high:.3f}"


def _short(figure: float) -> str:
    return f"{figure:.3g}"
