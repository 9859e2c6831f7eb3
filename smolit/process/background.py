"""The runner in the background: started by `smolit up`, stopped by `smolit down`."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from smolit.errors import ProcessesNotReady
from smolit.folder import claim
from smolit.process import record
from smolit.process.census import Standing, census
from smolit.process.roster import STOP_STAGES, environment, slots
from smolit.process.runner import live_runner
from smolit.settings import PREFIX, Settings
from smolit.stack import process

Progress = Callable[[str], None]

LOG = Path("logs") / "smolit.log"
_LARGEST_LOG = 64 * 1024 * 1024
_POLL_S = 0.1
# The shell goes away at once, so the runner belongs to init and nobody must wait for it.
_LAUNCH = 'exec 3<&0; "$@" <&3 3<&- >&2 &'


@contextmanager
def launching(settings: Settings) -> Iterator[Callable[[], None]]:
    """Start a runner, unless one runs; yield what has it begin, once the servers are ready.

    It loads what the processes run meanwhile. If it is not told to begin, it ends, and leaves nothing.
    """
    pipe = None if live_runner(settings.data_dir) else _start(settings)

    def begin() -> None:
        if (told := pipe) is None and live_runner(settings.data_dir) is None:
            told = _start(settings)
        if told is not None:
            with suppress(BrokenPipeError), told:  # it has ended: whoever waits for the processes is told
                told.write(b"\n")

    try:
        yield begin
    finally:
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()


def _start(settings: Settings) -> IO[bytes]:
    """Start the runner in a session of its own; its lines and its processes' go to one log. Return what it listens to."""
    claim(settings.data_dir)
    given = environment(settings, os.environ)
    given.setdefault(f"{PREFIX}LOG_FORMAT", "json")  # nobody watches it: what is searched later should be easy to search
    command = [sys.executable, "-P", "-m", "smolit", "run", "all", "--when-told"]
    with _log(settings).open("ab") as log:
        shell = subprocess.Popen(
            ["/bin/sh", "-c", _LAUNCH, "smolit", *command],
            env=given,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )
    shell.wait()
    if shell.stdin is None:
        raise RuntimeError("the runner has no input")
    return shell.stdin


def wait_ready(settings: Settings, progress: Progress, require: Callable[[], None] = lambda: None) -> list[Standing]:
    """Wait until every process takes work in, and return how they are; what `require` raises at a look ends the wait.

    Raises:
        ProcessesNotReady: some do not in time, or the runner ended; the message names the log.
    """
    wanted = {slot.identity for slot in slots(settings.workers)}
    end = time.monotonic() + settings.start_timeout_s
    told: set[str] = set()
    seen_runner = False
    while True:
        require()
        standings = census(settings.data_dir)
        ready = {one.identity for one in standings if one.ready}
        if (ready & wanted) - told:
            told |= ready & wanted
            progress(f"{len(told)} of {len(wanted)} processes ready: {', '.join(sorted(told))}")
        if wanted <= ready:
            return standings
        runs = live_runner(settings.data_dir) is not None
        if time.monotonic() > end or (seen_runner and not runs):
            raise ProcessesNotReady(_complaint(settings, sorted(wanted - ready), runs))
        seen_runner = seen_runner or runs
        time.sleep(_POLL_S)


def halt(settings: Settings, progress: Progress) -> None:
    """Stop the runner and whatever else of ours runs in this data folder, and wait for it."""
    runner = live_runner(settings.data_dir)
    if runner is not None:
        progress("stopping the processes")
        process.stop(runner, signal.SIGTERM, settings.stop_timeout_s * len(STOP_STAGES))
    for one in record.read_all(settings.data_dir):
        left = record.live(one)
        if left is not None and left.pid != os.getpid():
            progress(f"stopping {one.identity}")
            process.stop(left, signal.SIGTERM, settings.stop_timeout_s)


def _log(settings: Settings) -> Path:
    """Return where the background's lines go; a log that has grown large becomes the old one."""
    path = settings.data_dir / LOG
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _LARGEST_LOG:
        path.replace(path.with_suffix(".log.1"))
    path.touch(mode=0o600)  # details of failures may quote what people asked
    return path


def _complaint(settings: Settings, missing: list[str], runs: bool) -> str:
    """Say what is missing, and where to look."""
    why = f"within {settings.start_timeout_s:.0f} s" if runs else "and the runner ended"
    return f"not ready {why}: {', '.join(missing)}; {settings.data_dir / LOG} says why"
