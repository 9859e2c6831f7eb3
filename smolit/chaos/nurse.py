"""Our end of the nursery: orders out, reports in."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path

import msgspec

from smolit.chaos.nursery import Order, Report

_READY_S = 120.0
_END_S = 20.0
Hear = Callable[[Report], None]


class Nurse:
    """Runs one nursery for all worlds; each listens for its own slots."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._hear: dict[str, Hear] = {}
        self._process: Process
        self._reading: asyncio.Task[None]

    async def start(self) -> None:
        """Start the nursery and wait until it has loaded everything."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "smolit.chaos.nursery", stdin=PIPE, stdout=PIPE, stderr=log, process_group=0
            )
        async with asyncio.timeout(_READY_S):
            await self._report()
        self._reading = asyncio.create_task(self._read())

    async def stop(self) -> None:
        """End the nursery, and with it every child."""
        self._input.close()
        async with asyncio.timeout(_END_S):
            await self._process.wait()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    def order(self, order: Order, hear: Hear) -> None:
        """Have a process started; `hear` is told when it has, and when it ended."""
        self._hear[order.slot] = hear
        self._input.write(msgspec.json.encode(order) + b"\n")

    @property
    def _input(self) -> asyncio.StreamWriter:
        if self._process.stdin is None:
            raise RuntimeError("the nursery has no input")
        return self._process.stdin

    async def _read(self) -> None:
        """Hand reports to whoever listens."""
        while (report := await self._report()) is not None:
            self._hear[report.slot](report)

    async def _report(self) -> Report | None:
        """Return the next report; None at the end."""
        if self._process.stdout is None:
            raise RuntimeError("the nursery has no output")
        line = await self._process.stdout.readline()
        return msgspec.json.decode(line, type=Report) if line else None
