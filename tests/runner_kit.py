"""The runner and the shell around a process, with processes that do nothing: `runner_kit.py runner|child|grumpy|...`.

What it does is told by the environment: SMOLIT_* are settings, RUNNER_KIT_* say how the processes behave.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from bus.errors import WrongTopics
from smolit.process.log import Who
from smolit.process.roster import Slot
from smolit.process.runner import WHO, run_all
from smolit.process.shell import Shell, main_of, supervised
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


def main() -> int:
    """Be the runner, or one of its processes."""
    role, *rest = sys.argv[1:]
    if role == "runner":
        return supervised(load_settings(), WHO, frozenset(), lambda _lines: asyncio.run(run_all(load_settings(), command)))
    return child(rest[0], rest[1], until_eof=role == "child")


if __name__ == "__main__":
    sys.exit(main())
