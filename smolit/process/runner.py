"""The runner: keeps every process alive, says aloud what dies, and stops all of them in order."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from msgspec import Struct

from smolit.errors import NurseryLost
from smolit.process import log, pools, record
from smolit.process.log import Who
from smolit.process.record import ProcessRecord
from smolit.process.roster import STOP_STAGES, Slot, extras, slots
from smolit.process.shell import alone
from smolit.process.start import Child, Starter, how_ended
from smolit.settings import Settings
from smolit.stack import process

FIRST_DELAY_S, LONGEST_DELAY_S, STEADY_S = 0.2, 10.0, 30.0
WHO = Who("runner", "all")
_AT_ONCE = 130
_LOOK_S = 1.0  # between two looks for pools that need a worker
_KILLED_S = 5.0  # for the news that a process which was killed has ended


class ChildRecord(Struct, frozen=True):
    """One process as the runner last started it."""

    name: str
    instance: str
    pid: int
    started_at: float
    restarts: int


class RunnerRecord(Struct, frozen=True):
    """The runner and its children, for whoever comes after it or asks how it is."""

    pid: int
    started_at: float
    children: tuple[ChildRecord, ...] = ()


def next_delay(previous_s: float, lived_s: float) -> float:
    """Return how long to wait before the next start: doubled each time, from the beginning after a steady life."""
    if previous_s <= 0 or lived_s >= STEADY_S:
        return FIRST_DELAY_S
    return min(LONGEST_DELAY_S, previous_s * 2)


def path_of(data_dir: Path) -> Path:
    """Return where the runner's record lies."""
    return data_dir / record.FOLDER / "runner.json"


def read_runner(data_dir: Path) -> RunnerRecord | None:
    """Return the runner's record, dead or alive, if there is one."""
    return record.read_json(path_of(data_dir), RunnerRecord)


def live_runner(data_dir: Path) -> psutil.Process | None:
    """Return the runner's process if it runs."""
    known = read_runner(data_dir)
    return record.live(ProcessRecord("runner", "all", known.pid, known.started_at)) if known else None


def nobody() -> Sequence[Slot]:
    """Want nobody else."""
    return ()


def at_once() -> bool:
    """Wait for nobody."""
    return True


async def run_all(settings: Settings, starter: Starter, told: Callable[[], bool] = at_once) -> None:
    """Keep all processes alive until SIGTERM or SIGINT, then stop them in order; a second signal kills them.

    `told` may wait until things are ready for them, while what they run is loaded; if it returns False, nothing is started.

    Raises:
        ProcessRunning: another runner has this data folder.
    """
    starter.warm()
    try:
        if await asyncio.to_thread(told):
            with alone(settings, WHO):
                everybody = [*slots(settings.workers), *extras(settings)]
                runner = Runner(settings, everybody, starter, partial(pools.wanted, settings))
                for number in (signal.SIGTERM, signal.SIGINT):
                    asyncio.get_running_loop().add_signal_handler(number, runner.heard)
                await runner.run()
    finally:
        await starter.close()


class Runner:
    """Holds one keeper per process."""

    def __init__(
        self, settings: Settings, wanted: Sequence[Slot], starter: Starter, more: Callable[[], Sequence[Slot]] = nobody
    ) -> None:
        self._settings = settings
        self._starter = starter
        self._stopped = asyncio.Event()
        self._before = read_runner(settings.data_dir)
        self._me = record.ours(WHO.component, WHO.instance, 0)
        self._running: dict[Slot, Child] = {}
        self._children: dict[Slot, ChildRecord] = {}
        self._wanted, self._more = wanted, more
        self._log = log.bind()

    def heard(self) -> None:
        """Begin to stop; at the second signal end everything at once."""
        if self._stopped.is_set():
            for child in self._running.values():
                _send(child, signal.SIGKILL)
            os._exit(_AT_ONCE)
        self._stopped.set()

    async def run(self) -> None:
        """Keep all alive until told to stop."""
        self._note()
        keepers = {slot: asyncio.create_task(self._keep(slot)) for slot in self._wanted}
        try:
            await self._told_to_stop(keepers)
        finally:
            self._stopped.set()
            await self._stop_all(keepers)
            path_of(self._settings.data_dir).unlink(missing_ok=True)

    async def _told_to_stop(self, keepers: "dict[Slot, asyncio.Task[None]]") -> None:
        """Wait for the word to stop, and keep what is wanted meanwhile, too; a keeper that fails ends the runner."""
        told = asyncio.create_task(self._stopped.wait())
        done: set[asyncio.Task[Any]] = set()
        while not done:
            for slot in self._more():
                if slot not in keepers:
                    keepers[slot] = asyncio.create_task(self._keep(slot))
            done, _ = await asyncio.wait([told, *keepers.values()], timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()

    async def _keep(self, slot: Slot) -> None:
        """Start one process again and again."""
        delay_s, restarts = 0.0, 0
        while not self._stopped.is_set():
            began = time.monotonic()
            code = await self._once(slot, restarts)
            if self._stopped.is_set():
                return
            lived_s = time.monotonic() - began
            delay_s = next_delay(delay_s, lived_s)
            restarts += 1
            self._log.warning(f"{slot.identity} {how_ended(code)} after {lived_s:.1f} s; starting it again in {delay_s:.1f} s")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), delay_s)

    async def _once(self, slot: Slot, restarts: int) -> int | None:
        """Run one process to its end, after whoever had its identity is gone; return how it ended, if anybody knows."""
        await asyncio.to_thread(self._clear, slot)
        if self._stopped.is_set():
            return 0
        try:
            child = await self._starter.start(slot)
        except NurseryLost as lost:
            self._log.warning(f"{slot.identity} could not be started: {lost}")
            return None
        self._running[slot] = child
        self._children[slot] = ChildRecord(slot.name, slot.instance, child.pid, _started_at(child.pid), restarts)
        self._note()
        if self._stopped.is_set():  # while it was being started
            _send(child, signal.SIGTERM)
        try:
            return await child.wait()
        finally:
            self._running.pop(slot)

    def _clear(self, slot: Slot) -> None:
        """Kill what still lives under this identity: two processes with one Kafka group instance would fence nobody."""
        known = [record.read(self._settings.data_dir, slot.name, slot.instance)]
        known += [
            ProcessRecord(child.name, child.instance, child.pid, child.started_at)
            for child in (*(self._before.children if self._before else ()), *self._children.values())
            if (child.name, child.instance) == (slot.name, slot.instance)
        ]
        for one in known:
            if one is not None and (old := record.live(one)) is not None:
                process.kill(old)
                self._log.warning(f"killed {old.pid}, which still was {slot.identity}")

    async def _stop_all(self, keepers: "dict[Slot, asyncio.Task[None]]") -> None:
        """Stop stage by stage; what is in no stage stops first."""
        staged = {name for stage in STOP_STAGES for name in stage}
        others = tuple(sorted({slot.name for slot in keepers} - staged))
        for stage in (others, *STOP_STAGES):
            await asyncio.gather(*(self._stop(slot, keeper) for slot, keeper in keepers.items() if slot.name in stage))

    async def _stop(self, slot: Slot, keeper: "asyncio.Task[None]") -> None:
        """Ask one process to end; kill it if it takes too long."""
        if (child := self._running.get(slot)) is not None:
            _send(child, signal.SIGTERM)
        done, _ = await asyncio.wait([keeper], timeout=self._settings.stop_timeout_s)
        if not done:
            self._log.warning(f"{slot.identity} did not stop within {self._settings.stop_timeout_s:.0f} s and is killed")
            if (child := self._running.get(slot)) is not None:
                _send(child, signal.SIGKILL)
            done, _ = await asyncio.wait([keeper], timeout=_KILLED_S)
            if not done:
                self._starter.kill()
        await keeper

    def _note(self) -> None:
        """Write down who runs."""
        children = tuple(self._children[slot] for slot in sorted(self._children))
        record.write_json(path_of(self._settings.data_dir), RunnerRecord(self._me.pid, self._me.started_at, children))


def _send(child: Child, how: signal.Signals) -> None:
    """Send a signal; a process that has ended meanwhile needs none."""
    with suppress(ProcessLookupError):
        child.send_signal(how)


def _started_at(pid: int) -> float:
    """Return when a process of ours began; 0 if it is gone already."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0
