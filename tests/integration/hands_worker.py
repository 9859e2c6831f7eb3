"""A worker process for tests: real loops and connections; its agents sleep, hash, or eat memory, as they are told."""

import asyncio
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Literal

import httpx
import msgspec
from msgspec import Struct

from agents import catalog
from agents.pipeline import Effects, Result, Timer, Toolbox, Work
from events.topics import Names
from handlers import workshop
from handlers.count import uncounted
from handlers.ending import Roads
from handlers.guard import MIB, Bounds
from handlers.worker import Shift
from handlers.workshop import Memory
from learning.outcomes import Outcomes
from smolit.process.memory import gauge

OUT_OF_MEMORY = 17  # exit code of a process that its guard ended


class Orders(Struct):
    """What a test tells the process."""

    kafka: str
    dsn: str
    prefix: str
    worker: str
    capacity: int
    lease_s: float
    agents: tuple[str, ...] | None = None
    memory_mb: int = 0  # above what it uses at first; 0: no limit


class EaterSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How much it takes, where, how fast, and whether it gives it back after a while."""

    mb: int
    where: Literal["thread", "loop"] = "thread"
    pause_s: float = 0.01
    held_s: float = 3600.0


class Eater:
    """Takes memory, four MiB at a time, and touches every page."""

    name: ClassVar[str] = "eater"
    Settings: ClassVar[type[Struct]] = EaterSettings

    def __init__(self, settings: EaterSettings, _toolbox: Toolbox) -> None:
        self._settings = settings

    async def run(self, _work: Work, _effects: Effects, _timer: Timer) -> Result:
        """Eat."""
        if self._settings.where == "loop":
            self._eat()
        else:
            await asyncio.to_thread(self._eat)
        return Result("full", ())

    def _eat(self) -> None:
        eaten = []
        while len(eaten) * 4 < self._settings.mb:
            eaten.append(b"x" * (4 * MIB))
            time.sleep(self._settings.pause_s)
        time.sleep(self._settings.held_s)


def _end(_why: str) -> None:
    os._exit(OUT_OF_MEMORY)


def _memory(over_mb: int) -> Memory | None:
    """Return a guard that is content with what the process uses now and so much more."""
    used = gauge(os.getpid())
    now = used() or 0
    return Memory(Bounds(now + over_mb * MIB, now + 2 * over_mb * MIB, grace_s=10.0), used, _end) if over_mb else None


async def work(orders: Orders) -> None:
    """Work until killed."""
    shift = Shift(orders.worker, orders.agents, orders.capacity, orders.lease_s, heartbeat_s=0.5)
    roads = Roads(Names(orders.prefix), frozenset(), workshop.SOURCE)
    async with httpx.AsyncClient(trust_env=False) as http:
        toolbox = Toolbox(Path(), frozenset({"127.0.0.1"}), http, lambda path: Outcomes.load(path.parent, path.name))
        stopped, clock = asyncio.Event(), lambda: datetime.now(UTC)
        asyncio.get_running_loop().add_signal_handler(15, stopped.set)
        arguments = (orders.kafka, orders.dsn, shift, roads, toolbox, stopped, clock, time.monotonic, uncounted)
        await workshop.run(*arguments, memory=_memory(orders.memory_mb))


if __name__ == "__main__":
    catalog.PIPELINES = (*catalog.PIPELINES, Eater)
    asyncio.run(work(msgspec.json.decode(sys.argv[1], type=Orders)))
