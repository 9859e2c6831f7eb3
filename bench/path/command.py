"""`smolit bench path`: a stack of its own, one run, two tables, and nothing left behind."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bench.file import require_folder, write
from smolit.cli import out
from smolit.settings import Settings, load_settings

if TYPE_CHECKING:
    from bench.path.report import Report
    from bench.path.run import Asked

FOLDER = "bench-path"

Tasks = Annotated[int, typer.Option("--tasks", min=10, max=2000, help="How many tasks are measured at full and at half load.")]
InFlight = Annotated[int, typer.Option("--in-flight", min=1, max=500, help="Tasks under way at a time at full load.")]
Features = Annotated[
    Literal["recorded", "live"], typer.Option("--features", help="Look features up, or encode every text in the run.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of the moments at which half load asks.")]
File = Annotated[Path | None, typer.Option("--json", help="File for the figures as JSON.")]


def path(
    tasks: Tasks = 1000, in_flight: InFlight = 32, features: Features = "recorded", seed: Seed = 1, json: File = None
) -> None:
    """Measure what a task costs on its whole way, how long one waits, and what Kafka alone would cost."""
    require_folder(json)
    from bench.path.run import Asked  # what a run needs is heavy; the command line loads this module first
    from smolit.demo.stage import refuse_foreign
    from smolit.process.log import Who
    from smolit.process.shell import alone

    settings = load_settings()
    refuse_foreign(settings)
    with alone(settings, Who("bench", "path")):  # another run would share the cores, and the stack
        made = _carry_out(own(settings), Asked(tasks, in_flight, features, seed))
    write(json, made)
    _tell(made)


def own(settings: Settings) -> Settings:
    """Return the settings of the bench's own stack, beside whatever runs already."""
    ports = {"kafka_port": 0, "kafka_controller_port": 0, "postgres_port": 0}
    return load_settings(data_dir=settings.data_dir / FOLDER, **ports)


def _carry_out(settings: Settings, asked: "Asked") -> "Report":
    """Start an empty stack, measure, and remove it; after a failure its logs stay until the next run."""
    from bench.path.cpu import pin
    from bench.path.run import Where, run
    from smolit.chaos.command import quiet
    from smolit.demo.stage import leave
    from smolit.stack import local

    local.down(settings, wipe=True)
    before, cores, done = signal.signal(signal.SIGTERM, leave), pin(), False
    try:
        endpoints = local.up(settings, out.say)
        with quiet(settings.data_dir / "bench.log"):
            made = run(Where(settings, endpoints, settings.data_dir, tuple(cores)), asked, out.say)
        done = True
        return made
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what it asks for is being done
        local.down(settings, wipe=done, progress=out.say)
        signal.signal(signal.SIGTERM, before)


def _tell(made: "Report") -> None:
    """Print the figures, then one line per process."""
    from bench.path.report import figures, processes

    out.table(("what", "figure", "note"), figures(made), title=f"The full path, features {made.features}, {made.cores} cores")
    columns = ("process", "ms per task", "floor, ms", "bytes published", "bytes read")
    out.table(columns, processes(made), title="Processor time and bytes of Kafka, per task")
