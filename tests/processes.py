"""All processes of smolit, running in a namespace of their own for as long as a test needs them."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from smolit.folder import claim
from smolit.process.background import wait_ready
from smolit.process.census import census
from smolit.process.prepare import prepare
from smolit.process.roster import environment
from smolit.settings import Settings, load_settings
from smolit.stack import local
from tests.said import PATIENCE_S
from tests.stacks import namespace_on


@contextmanager
def all_running(stack: local.Endpoints, folder: Path, **more: Any) -> Iterator[Settings]:
    """Yield the settings under which everything runs; this process has them in its environment meanwhile."""
    with namespace_on(stack, folder / "data") as mine, pytest.MonkeyPatch.context() as patch:
        given = {"topic_prefix": mine.topic_prefix, "kafka": mine.kafka, "postgres": mine.postgres, **more}
        settings = load_settings(data_dir=folder / "data", encoder="hashed", workers=1, start_timeout_s=300.0, **given)
        for name, value in environment(settings, {}).items():
            patch.setenv(name, value)
        claim(settings.data_dir)
        with runner(folder / "runner.log") as begin:  # it loads what the processes run, while there is nothing to run on yet
            asyncio.run(prepare(settings, local.Endpoints(mine.kafka, mine.postgres, ours=False), lambda _said: None))
            begin()
            wait_ready(settings, lambda _said: None)
            yield settings


def kill(settings: Settings, name: str) -> None:
    """Kill a process as it is, without a word; one that was just killed is there again first."""
    end = time.monotonic() + PATIENCE_S
    while not any(_killed(one.pid) for one in census(settings.data_dir) if one.identity == f"{name}-1" and one.pid):
        assert time.monotonic() < end, f"{name} did not come back"
        time.sleep(0.05)


def _killed(pid: int) -> bool:
    """Kill a process; one that is gone may be listed for a moment."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def runner(log: Path) -> Iterator[Callable[[], None]]:
    """Run all processes once they are to begin; they die with this one, however it ends, as it holds the runner's input."""
    argv = [sys.executable, "-P", "-m", "smolit", "run", "all", "--until-eof", "--when-told"]
    with log.open("wb") as file:
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=file, env=dict(os.environ))

    def begin() -> None:
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.flush()

    try:
        yield begin
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)
