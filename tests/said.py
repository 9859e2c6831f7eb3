"""The command line as a function, for tests on a real stack: what a command wrote, and what comes true a little later."""

import json
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any, NamedTuple

import pytest

from smolit.cli import app

PATIENCE_S = 120.0  # for which nothing may move; waiting costs nothing where what is waited for comes
AT_MOST_S = 600.0  # for all of it, however much moves


class Said(NamedTuple):
    """What a command wrote, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return standard output as JSON."""
        return json.loads(self.out)


Smolit = Callable[..., Said]


def command_line(capsys: pytest.CaptureFixture[str]) -> Smolit:
    """Return what runs a command of `smolit` in this process."""

    def call(*arguments: str) -> Said:
        capsys.readouterr()
        code = app.run(list(arguments))
        return Said(code, *capsys.readouterr())

    return call


def redirected() -> Smolit:
    """Return the same without a fixture of one test, for what a whole module prepares once."""

    def call(*arguments: str) -> Said:
        told, aside = StringIO(), StringIO()
        with redirect_stdout(told), redirect_stderr(aside):
            code = app.run(list(arguments))
        return Said(code, told.getvalue(), aside.getvalue())

    return call


def caught_up(smolit: Smolit) -> None:
    """Wait until the read models are at the end of the log: what is in it by now they know, from every topic."""

    def at_the_end(said: Said) -> bool:
        models = [one for one in said.json["lags"] if one["consumer"].startswith("projections.")] if said.code == 0 else []
        return bool(models) and not any(one["records"] for one in models)

    until(lambda: smolit("projection", "lag", "--json"), at_the_end)


def until(ask: Callable[[], Said], holds: Callable[[Said], bool]) -> Said:
    """Ask until the answer is as wanted; the read models follow the log by milliseconds, sometimes by more.

    As long as the answers change, something is on its way: only what stands still, or never ends, is given up.
    """
    now = time.monotonic()
    end, moved, before = now + AT_MOST_S, now, None
    while not holds(said := ask()):
        now = time.monotonic()
        moved, before = (moved, before) if said == before else (now, said)
        assert now < min(moved + PATIENCE_S, end), f"waited in vain; last: {said}"
        time.sleep(0.1)
    return said
