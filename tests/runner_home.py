"""A data folder in which `runner_kit.py` runs, and how to see what becomes of its processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from smolit.process.census import Standing, census
from tests.said import PATIENCE_S

KIT = Path(__file__).with_name("runner_kit.py")
PROCESSES = 9  # with one worker, and the local language model


class Home:
    """A data folder of its own, and how to start things in it."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "data"
        self.diary = folder / "diary"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SMOLIT_")},
            "PYTHONPATH": str(KIT.parents[1]),
            "SMOLIT_DATA_DIR": str(self.data_dir),
            "SMOLIT_WORKERS": "1",
            "SMOLIT_LOG_FORMAT": "json",
            "RUNNER_KIT_DIARY": str(self.diary),
        }

    @contextmanager
    def started(self, *arguments: str, **extra: str) -> Iterator["subprocess.Popen[str]"]:
        """Start the kit, and let nothing of it live on."""
        process = subprocess.Popen(
            [sys.executable, str(KIT), *arguments],
            env={**self.environment, **extra},
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            kill_all([process.pid, *(one.pid for one in census(self.data_dir) if one.pid)])
            process.communicate()

    def standings(self) -> dict[str, Standing]:
        """Return how the processes are, by identity."""
        return {one.identity: one for one in census(self.data_dir)}

    def all_ready(self) -> dict[str, Standing]:
        """Wait until every process is ready, and return how they are."""
        until(lambda: sum(one.ready for one in self.standings().values()) == PROCESSES)
        return self.standings()


def kill_all(pids: list[int]) -> None:
    """Kill processes of the test, those that still are."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition; fail if it does not come true in time."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def gone(pid: int) -> bool:
    """Say whether a process has ended; a zombie has."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
