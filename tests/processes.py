"""All processes of smolit, running in a namespace of their own for as long as a test needs them."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from smolit.folder import claim
from smolit.process.background import wait_ready
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
        settings = load_settings(data_dir=folder / "data", encoder="hashed", workers=1, start_timeout_s=200.0, **given)
        for name, value in environment(settings, {}).items():
            patch.setenv(name, value)
        claim(settings.data_dir)
        with runner(folder / "runner.log") as begin:  # it loads what the processes run, while there is nothing to run on yet
            asyncio.run(prepare(settings, local.Endpoints(mine.kafka, mine.postgres, ours=False), lambda _said: None))
            begin()
            wait_ready(settings, lambda _said: None)
            yield settings


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
