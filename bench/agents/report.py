"""Figures as people read them: a table in the terminal, and the part of docs/agents.md that the command writes. Pure."""

from msgspec import Struct

from bench.agents.figure import Figure
from bench.spread import Range

BEGIN = "<!-- made by `smolit bench agents --docs` -->"
END = "<!-- end of what was made -->"
COLUMNS = ("worker", "what", "worker's", "baseline's", "baseline", "better", "n", "data", "asked")


class Report(Struct, frozen=True):
    """What `--json` writes: the figures, the seed, what could not be measured here, and the machine's pace."""

    seed: int
    figures: tuple[Figure, ...]
    failed: dict[str, str]
    loop_s: float


def row(figure: Figure) -> tuple[str, ...]:
    """Return a figure as one row of a table."""
    told = figure.baseline_value.told if figure.baseline_value else ""
    of = (figure.baseline or "", figure.better, str(figure.n), figure.data, figure.asked)
    return (figure.worker, _what(figure), figure.value.told, told, *of)


def verdict(figure: Figure) -> str:
    """Say whether the worker's figure and the baseline's can be told apart.

    By the interval of their difference, where both were drawn together; else, more cautiously, if their intervals do not overlap.
    """
    if figure.baseline_value is None:
        return "no baseline"
    if figure.ahead is not None:
        low, high = figure.ahead.low, figure.ahead.high
        low, high = (low, high) if figure.better == "higher" else (-high, -low)
        return "better" if low > 0 else "worse" if high < 0 else "not told apart"
    ahead, behind = figure.value, figure.baseline_value
    if figure.better == "lower":
        ahead, behind = behind, ahead
    if ahead.low > behind.high:
        return "better"
    return "worse" if ahead.high < behind.low else "not told apart"


def section(report: Report) -> str:
    """Return the generated part of the page: one table for each worker."""
    parts = [BEGIN, "", f"Seed {report.seed}. Each figure with its 95 % interval (bootstrap over documents, pages or texts).", ""]
    for worker in dict.fromkeys(figure.worker for figure in report.figures):
        parts += [f"### {worker}", "", "| what | worker | baseline | verdict | data |", "|---|---|---|---|---|"]
        parts += [_line(figure) for figure in report.figures if figure.worker == worker]
        parts.append("")
    return "\n".join([*parts, END])


def replaced(page: str, report: Report) -> str:
    """Return the page with its generated part made anew.

    Raises:
        ValueError: the page has no place for it.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("the page has no generated part")
    return before + section(report) + after


def _line(figure: Figure) -> str:
    asked = f"; asked: {figure.asked}" if figure.asked else ""
    other = f"{_told(figure.baseline_value)} ({figure.baseline})" if figure.baseline_value else ""
    return f"| {_what(figure)} | {_told(figure.value)} | {other} | {verdict(figure)}{asked} | {figure.data} (n = {figure.n}) |"


def _what(figure: Figure) -> str:
    return figure.metric if figure.unit in ("share", "") or figure.unit in figure.metric else f"{figure.metric}, {figure.unit}"


def _told(range_: Range) -> str:
    return f"{range_.value:.3g} [{range_.low:.3g}, {range_.high:.3g}]"
