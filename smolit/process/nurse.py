"""Our end of a nursery: orders out, reports in."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path

import msgspec

from smolit.errors import NurseryLost
from smolit.process.brood import Order, Report

_READY_S = 120.0
_END_S = 20.0
# A library that would compute in threads starts them when it is loaded, and a nursery must have none.
_CALM = {"OPENBLAS_NUM_THREADS": "1"}
Hear = Callable[[Report], None]


class Nurse:
    """Runs one nursery; each who ordered a process listens for its own slot."""

    def __init__(self, brood: str, environment: Mapping[str, str] | None = None, log: Path | None = None) -> None:
        """Know the brood (`module:name`), its whole environment (else ours), and the file for its errors (else ours)."""
        self._brood, self._log = brood, log
        self._environment = {**(os.environ if environment is None else environment), **_CALM}
        self._hear: dict[str, Hear] = {}
        self._retired = False
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the nursery and wait until it has loaded everything; raises NurseryLost."""
        command = [sys.executable, "-P", "-m", "smolit.process.nursery", self._brood]
        with self._log.open("ab") if self._log else nullcontext() as errors:
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=errors, process_group=0, env=self._environment
            )
        await self._until_ready()
        self._reading = asyncio.create_task(self._read())

    async def stop(self) -> None:
        """End the nursery, and with it every child."""
        if self._process is None:
            return
        self._input.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_S):
                await self._process.wait()
        self.kill()
        await self._process.wait()
        if self._reading is not None:
            await self._reading

    def kill(self) -> None:
        """End the nursery at once; its children notice, and end."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()

    def retire(self) -> None:
        """Let the nursery end when its last child has."""
        self._retired = True
        self._end_if_idle()

    def order(self, order: Order, hear: Hear) -> None:
        """Have a process started; `hear` is told when it has, and when it ended, or that nobody is there to start it."""
        if not self.serves:
            hear(Report(order.slot, 0, "lost"))
            return
        self._hear[order.slot] = hear
        self._input.write(msgspec.json.encode(order) + b"\n")

    @property
    def pid(self) -> int:
        """Return the nursery's process id."""
        return self._run.pid

    @property
    def serves(self) -> bool:
        """Return whether the nursery takes orders."""
        return not self._retired and self._reading is not None and not self._reading.done()

    @property
    def lost(self) -> bool:
        """Return whether the nursery took orders, and ended before it was told to."""
        return not self._retired and self._reading is not None and self._reading.done()

    @property
    def ended(self) -> int | None:
        """Return how the nursery ended, once it has."""
        return self._process.returncode if self._process is not None else None

    @property
    def _run(self) -> Process:
        if self._process is None:
            raise RuntimeError("the nursery was not started")
        return self._process

    @property
    def _input(self) -> asyncio.StreamWriter:
        if self._run.stdin is None:
            raise RuntimeError("the nursery has no input")
        return self._run.stdin

    async def _until_ready(self) -> None:
        """Wait for the first report; a nursery that gives none in time is no use."""
        ready = None
        with suppress(TimeoutError):
            async with asyncio.timeout(_READY_S):
                ready = await self._report()
        if ready is None:
            self.kill()
            raise NurseryLost(f"the nursery of {self._brood} did not load; it ended with {await self._run.wait()}")

    async def _read(self) -> None:
        """Hand reports to whoever listens; after the last one nobody is left alone."""
        while (report := await self._report()) is not None:
            hear = self._hear[report.slot] if report.what == "started" else self._hear.pop(report.slot)
            hear(report)
            self._end_if_idle()
        await self._run.wait()
        for slot, hear in self._hear.items():
            hear(Report(slot, 0, "lost"))

    async def _report(self) -> Report | None:
        """Return the next report; None at the end."""
        if self._run.stdout is None:
            raise RuntimeError("the nursery has no output")
        line = await self._run.stdout.readline()
        return msgspec.json.decode(line, type=Report) if line else None

    def _end_if_idle(self) -> None:
        """End a retired nursery that has no child."""
        if self._retired and not self._hear:
            self._input.close()
