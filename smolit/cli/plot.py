"""`smolit plot`: how well it goes, as a picture: in the terminal, or as PNG."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from events.topics import DEFAULT_TENANT
from projections.course import costs, learning_curve, shares
from smolit.cli import out
from smolit.cli.desk import open_desk, read
from smolit.cli.option import Json, Tenant
from smolit.errors import NothingFound, UsageInvalid
from smolit.plot.chart import Chart, agents_chart, cost_chart, learning_chart
from smolit.plot.terminal import drawn, heading, legend

T = TypeVar("T")

PlotScope = Annotated[str | None, typer.Option("--scope", help="Family of tasks to look at; else every one.")]
Png = Annotated[Path | None, typer.Option("--png", metavar="FILE", help="Write a picture, too; needs the extra `plot`.")]
Parts = Annotated[int, typer.Option("--windows", min=2, max=200, help="Equal parts that the stream is cut into.")]


def learning(
    scope: PlotScope = None, windows: Parts = 10, png: Png = None, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False
) -> None:
    """Plot the mean reward over the stream of tasks, beside what a uniform choice would have earned."""
    target = target_of(png)
    found = read(open_desk(), lambda connection: learning_curve(connection, tenant, scope, windows))
    tell(found, learning_chart, scope, target, as_json)


def agents(scope: PlotScope = None, png: Png = None, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Plot each agent's mean reward and its share of the choices."""
    target = target_of(png)
    found = read(open_desk(), lambda connection: shares(connection, tenant, scope))
    tell(found, agents_chart, scope, target, as_json)


def cost(scope: PlotScope = None, png: Png = None, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Plot what attempts cost by kind of task."""
    target = target_of(png)
    found = read(open_desk(), lambda connection: costs(connection, tenant, scope))
    tell(found, cost_chart, scope, target, as_json)


def target_of(png: Path | None) -> Path | None:
    """Return where to write a picture, before anything is read; raises UsageInvalid."""
    if png is not None and not png.parent.is_dir():
        raise UsageInvalid(f"there is no folder {png.parent} to write {png.name} to")
    return png


def tell(
    found: Sequence[T], chart_of: Callable[[Sequence[T], str | None], Chart], scope: str | None, png: Path | None, as_json: bool
) -> None:
    """Write what was found as JSON or as a chart, and as a picture if one is wanted."""
    if not found:
        raise NothingFound("there is nothing to plot (yet); `smolit task list` shows which tasks there are")
    if as_json:
        out.json(found)
    chart = chart_of(found, scope)
    if not as_json:
        _show(chart)
    if png is not None:
        from smolit.plot.picture import write_png  # brings matplotlib, where it is installed

        write_png(chart, png)
        out.say(f"{png} shows it")


def _show(chart: Chart) -> None:
    """Draw a chart in the terminal."""
    columns, rows = drawn(chart)
    out.table(columns, rows, title=heading(chart))
    if note := legend(chart):
        out.line(note)
