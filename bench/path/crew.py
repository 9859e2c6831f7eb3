"""All processes of smolit, started for one run without a runner: none is started again, since a run in which one died is void."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from smolit.errors import CheckFailed
from smolit.process.background import LOG, Progress, wait_ready
from smolit.process.roster import STOP_STAGES, Slot, environment, slots
from smolit.process.start import how_ended
from smolit.settings import PREFIX, Settings

Children = Mapping[Slot, "subprocess.Popen[bytes]"]
T = TypeVar("T")
_LOOK_S = 0.25


@contextmanager
def running(settings: Settings, notes: Path, recorded: Path | None, say: Progress) -> Iterator[Children]:
    """Yield all processes, ready; at the end they are stopped in the order of the runner. They die with us, however we end.

    Raises:
        CheckFailed: one ended before it took work in.
        ProcessesNotReady: one does not take work in.
    """
    notes.mkdir(parents=True, exist_ok=True)
    log = settings.data_dir / LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    given = {f"{PREFIX}LOG_FORMAT": "json", **environment(settings, os.environ)}
    children: dict[Slot, subprocess.Popen[bytes]] = {}
    try:
        with log.open("ab") as file:
            for slot in slots(settings.workers):
                argv = _argv(slot, notes, recorded)
                children[slot] = subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=file, env=given, process_group=0)
        wait_ready(settings, say, lambda: require_alive(children))
        yield children
    finally:
        _stop(children, settings.stop_timeout_s)


def pids(children: Children) -> dict[str, list[int]]:
    """Return the process ids by name; workers count together."""
    found: dict[str, list[int]] = {}
    for slot, child in children.items():
        found.setdefault(slot.name, []).append(child.pid)
    return found


def require_alive(children: Children) -> None:
    """Raise CheckFailed if a process has ended."""
    codes = {slot.identity: child.poll() for slot, child in children.items()}
    if ended := [f"{identity} {how_ended(code)}" for identity, code in codes.items() if code is not None]:
        raise CheckFailed(f"{', '.join(ended)} in the middle of the run, so it measured nothing; {LOG.name} says why")


async def while_alive(children: Children, doing: Coroutine[Any, Any, T]) -> T:
    """Return what the work returns; as soon as a process ends, it is broken off: nobody waits for answers that cannot come.

    Raises:
        CheckFailed: a process ended.
    """
    work = asyncio.ensure_future(doing)
    try:
        while not work.done():
            require_alive(children)
            await asyncio.wait((work,), timeout=_LOOK_S)
        return work.result()
    finally:
        work.cancel()
        await asyncio.wait((work,))


def _argv(slot: Slot, notes: Path, recorded: Path | None) -> list[str]:
    """Return the command of one process."""
    told = ["--recorded", str(recorded)] if recorded else []
    return [sys.executable, "-P", "-m", "bench.path.child", slot.name, "--instance", slot.instance, "--notes", str(notes), *told]


def _stop(children: Children, patience_s: float) -> None:
    """Ask processes to end, from the door inwards; kill those that take too long."""
    for stage in STOP_STAGES:
        staged = [child for slot, child in children.items() if slot.name in stage]
        for child in staged:
            child.send_signal(signal.SIGTERM)
        for child in staged:
            _ended(child, patience_s)


def _ended(child: "subprocess.Popen[bytes]", patience_s: float) -> None:
    """Wait until a process has ended."""
    try:
        child.wait(patience_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    finally:
        if child.stdin is not None:
            child.stdin.close()
