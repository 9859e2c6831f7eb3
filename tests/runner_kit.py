"""The runner and the shell around a process, with processes that do nothing: `runner_kit.py runner|child|alone ...`.

What it does is told by the environment: SMOLIT_* are settings, RUNNER_KIT_* say how processes are started and behave.
"""

import asyncio
import os
import random
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from bus.errors import WrongTopics
from smolit.process.brood import Brood
from smolit.process.log import Who
from smolit.process.roster import Slot, arguments, environment
from smolit.process.runner import WHO, run_all
from smolit.process.shell import Shell, main_of, supervised
from smolit.process.start import ByExec, ByFork, Starter
from smolit.settings import load_settings


class Idle:
    """Waits; writes its name down when it is told to stop."""

    def __init__(self, name: str, diary: Path | None, fault: str) -> None:
        self.name = name
        self._diary, self._fault = diary, fault

    async def run(self, stopped: asyncio.Event) -> None:
        """Wait, or fail the way it is told to."""
        if self._fault == "named":
            raise WrongTopics("topic x is missing; make it with `smolit up`")
        if self._fault == "group":
            raise ExceptionGroup("parts", [WrongTopics("topic x is missing"), WrongTopics("topic x is missing")])
        if self._fault == "unforeseen":
            raise ZeroDivisionError("nobody thought of this")
        if self._fault == f"deaf:{self.name}":
            asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        await stopped.wait()
        if self._diary:
            with self._diary.open("a") as diary:
                diary.write(f"{self.name}\n")

    async def ready(self) -> bool:
        """Return that it is ready at once."""
        return True

    def counters(self) -> Mapping[str, float]:
        """Return a count that a test can look for."""
        return {"idled": 3}


def command(slot: Slot) -> list[str]:
    """Return how a process of this kit is started."""
    return [sys.executable, __file__, "child", slot.name, slot.instance]


def child(name: str, instance: str, until_eof: bool) -> int:
    """Run one idle process in the real shell."""
    diary = os.environ.get("RUNNER_KIT_DIARY")
    idle = Idle(name, Path(diary) if diary else None, os.environ.get("RUNNER_KIT_FAULT", ""))
    return main_of(Shell(load_settings(), Who(name, instance), lambda: idle), until_eof)


def forked(arguments: Sequence[str]) -> int:
    """Be one idle process that a nursery forked; what it is like is written down where a test asks for it."""
    if (notes := os.environ.get("RUNNER_KIT_NOTES")) is not None:
        own = (os.getppid(), len(os.listdir("/proc/self/task")), threading.active_count(), random.random())
        Path(notes, arguments[0]).write_text(" ".join(map(str, own)))
    return child(arguments[0], arguments[1], until_eof=True)


def load() -> None:
    """Load what a test wants to have loaded: nothing, or a module that it wrote."""
    if (name := os.environ.get("RUNNER_KIT_LOAD")) is not None:
        import_module(name)


BROOD = Brood(forked, load)


def starter() -> Starter:
    """Return how processes of this kit are started."""
    given = environment(load_settings(), os.environ)
    if os.environ.get("RUNNER_KIT_START") == "exec":
        return ByExec(command, given)
    return ByFork("tests.runner_kit:BROOD", arguments, given)


def main() -> int:
    """Be the runner, or one of its processes."""
    role, *rest = sys.argv[1:]
    if role == "runner":
        return supervised(load_settings(), WHO, frozenset(), lambda _lines: asyncio.run(run_all(load_settings(), starter())))
    return child(rest[0], rest[1], until_eof=role == "child")


if __name__ == "__main__":
    sys.exit(main())
