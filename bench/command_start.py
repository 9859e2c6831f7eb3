"""`smolit bench start`: how long `smolit up` takes, and how long until the first answer, as a person sees it.

Commands are run as one types them, in a data folder of their own. The first start makes that folder and is told apart; those
that count find it there ("warm").
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct

from bench.calibration import loop_s
from bench.file import require_folder, write
from bench.spread import Range, middle
from smolit.cli import out
from smolit.errors import CheckFailed
from smolit.settings import PREFIX

_ASKED = "What is 12 * (3 + 4) - 5?"
_ANSWER = "79"
_PATIENCE_S = "300"


class Told(Struct, frozen=True):
    """One line that `smolit up` said, and how many seconds after it was typed."""

    after_s: float
    line: str


class Start(Struct, frozen=True):
    """One start: seconds until `smolit up` came back, until the first answer was there, and what was told on the way."""

    up_s: float
    answer_s: float
    answered: bool
    told: tuple[Told, ...]
    loop_s: float


class Figures(Struct, frozen=True):
    """What `--json` writes: the start that made the folder, and the warm ones with 95 % intervals."""

    cold: Start
    up_s: Range
    answer_s: Range
    loop_s: Range
    rounds: tuple[Start, ...]


def start(
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=100, help="Warm starts to measure.")] = 5,
    json: Annotated[Path | None, typer.Option("--json", help="File to write the figures to, as JSON.")] = None,
) -> None:
    """Measure how long a warm `smolit up` takes, and until the first answer."""
    require_folder(json)
    with tempfile.TemporaryDirectory(prefix="smolit-bench-") as folder:
        environ = _environment(Path(folder) / "data")
        try:
            every = [_started(environ, number) for number in range(rounds + 1)]
        finally:
            _smolit(environ, "down", "--wipe")
    figures = figures_of(every[0], every[1:])
    _show(figures)
    write(json, figures)
    if not all(one.answered for one in figures.rounds):  # in a new folder a task may come before the agent that can do it
        raise CheckFailed(f"not every warm start ended in the answer {_ANSWER}")


def figures_of(cold: Start, warm: list[Start]) -> Figures:
    """Return the figures of a cold start and some warm ones."""
    return Figures(
        cold=cold,
        up_s=middle([one.up_s for one in warm]),
        answer_s=middle([one.answer_s for one in warm]),
        loop_s=middle([one.loop_s for one in warm]),
        rounds=tuple(warm),
    )


def _environment(data_dir: Path) -> dict[str, str]:
    """Return an environment for a stack that is nobody else's: its own folder, any ports, no foreign servers."""
    given = {
        **{"DATA_DIR": str(data_dir), "KAFKA": "", "POSTGRES": "", "KAFKA_PORT": "0", "KAFKA_CONTROLLER_PORT": "0"},
        **{"POSTGRES_PORT": "0", "START_TIMEOUT_S": _PATIENCE_S, "STACK_TIMEOUT_S": _PATIENCE_S},
    }
    return {**os.environ, **{PREFIX + name: text for name, text in given.items()}}


def _started(environ: Mapping[str, str], number: int) -> Start:
    """Start, ask, and stop once; all processes have gone when the next one begins."""
    loop, begun = loop_s(), time.monotonic()
    told = _up(environ, begun)
    up_s = time.monotonic() - begun
    answer = _smolit(environ, "task", "submit", _ASKED, "--kind", "arithmetic", "--wait")
    found = Start(round(up_s, 3), round(time.monotonic() - begun, 3), _ANSWER in answer, told, loop)
    out.say(f"start {number}: up after {found.up_s:.1f} s, the first answer after {found.answer_s:.1f} s")
    _smolit(environ, "down")
    return found


def _up(environ: Mapping[str, str], begun: float) -> tuple[Told, ...]:
    """Run `smolit up` and return what it told, and when."""
    command = [sys.executable, "-m", "smolit", "up"]
    with subprocess.Popen(command, env=dict(environ), stderr=subprocess.PIPE, text=True) as running:
        lines = running.stderr or ()
        told = tuple([Told(round(time.monotonic() - begun, 3), line.strip()) for line in lines if line.strip()])
    if running.returncode:
        raise CheckFailed(f"`smolit up` failed: {told[-1].line if told else 'it said nothing'}")
    return told


def _smolit(environ: Mapping[str, str], *words: str) -> str:
    """Run a command and return what it wrote."""
    command = [sys.executable, "-m", "smolit", *words]
    return subprocess.run(command, env=dict(environ), capture_output=True, text=True, check=False).stdout


def _show(figures: Figures) -> None:
    """Write the figures for people, with the steps of the last start."""
    rows = [
        ("warm: `smolit up`, s", figures.up_s.told),
        ("warm: from `smolit up` to the first answer, s", figures.answer_s.told),
        ("cold: `smolit up` / first answer, s", f"{figures.cold.up_s:.1f} / {figures.cold.answer_s:.1f}"),
        ("a fixed loop of Python, s", figures.loop_s.told),
    ]
    out.table(("what", "median (95 % interval)"), rows, f"{len(figures.rounds)} warm starts")
    out.table(("after s", "what the last start told"), [(f"{one.after_s:.2f}", one.line) for one in figures.rounds[-1].told])
