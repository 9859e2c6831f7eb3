"""`smolit bench agents`: what each agent with a model is worth, on labelled data, beside a baseline."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bench.agents.figure import Figure
from bench.agents.report import COLUMNS, Report, replaced, row
from bench.agents.table import MEASURES, Measure
from bench.calibration import loop_s
from smolit.cli import out
from smolit.errors import CheckFailed, UsageInvalid
from smolit.settings import PROJECT

PAGE = PROJECT / "docs" / "agents.md"


def agents(
    only: Annotated[list[str] | None, typer.Option("--only", metavar="NAME", help="Measure this one; may be repeated.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="What is drawn at random is drawn by it.")] = 1,
    json: Annotated[Path | None, typer.Option("--json", help="File to write the figures to, as JSON.")] = None,
    docs: Annotated[bool, typer.Option("--docs", help="Write the figures into docs/agents.md.")] = False,
) -> None:
    """Measure what agents with models are worth: each on labelled data, beside a baseline."""
    wanted = chosen(only or [])
    if docs and len(wanted) < len(MEASURES):
        raise UsageInvalid("--docs writes the whole page: leave out --only")
    report = measured(wanted, seed)
    out.table(COLUMNS, [row(figure) for figure in report.figures], f"seed {seed}")
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    if report.failed:
        raise CheckFailed("; ".join(f"{name} could not be measured: {why}" for name, why in report.failed.items()))
    if docs:
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), report), encoding="utf-8")
        out.say(f"{len(report.figures)} figures in {PAGE}")


def chosen(names: list[str]) -> list[Measure]:
    """Return the measures of these names, or all where none is named; raises UsageInvalid."""
    known = {one.name: one for one in MEASURES}
    if unknown := [name for name in names if name not in known]:
        raise UsageInvalid(f"nothing called {unknown[0]!r} can be measured; there are {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names)] or list(MEASURES)


def measured(wanted: list[Measure], seed: int) -> Report:
    """Measure one after the other; what fails is told, and the others go on."""
    figures: list[Figure] = []
    failed: dict[str, str] = {}
    for one in wanted:
        out.say(f"measuring {one.name}")
        try:
            figures += one.run(seed)
        except Exception as error:  # noqa: BLE001 - a worker that breaks must not hide what the others are worth
            failed[one.name] = f"{type(error).__name__}: {error}"
    return Report(seed, tuple(figures), failed, loop_s())
