"""A worker process for tests: real loops and connections; its agents sleep, or hash, for as long as they are told."""

import asyncio
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
from msgspec import Struct

from agents.pipeline import Toolbox
from events.topics import Names
from handlers import workshop
from handlers.count import uncounted
from handlers.ending import Roads
from handlers.worker import Shift
from learning.outcomes import Outcomes


class Orders(Struct):
    """What a test tells the process."""

    kafka: str
    dsn: str
    prefix: str
    worker: str
    capacity: int
    lease_s: float
    agents: tuple[str, ...] | None = None


async def work(orders: Orders) -> None:
    """Work until killed."""
    shift = Shift(orders.worker, orders.agents, orders.capacity, orders.lease_s, heartbeat_s=0.5)
    roads = Roads(Names(orders.prefix), frozenset(), workshop.SOURCE)
    async with httpx.AsyncClient(trust_env=False) as http:
        toolbox = Toolbox(Path(), frozenset({"127.0.0.1"}), http, lambda path: Outcomes.load(path.parent, path.name))
        stopped, clock = asyncio.Event(), lambda: datetime.now(UTC)
        asyncio.get_running_loop().add_signal_handler(15, stopped.set)
        arguments = (orders.kafka, orders.dsn, shift, roads, toolbox, stopped, clock, time.monotonic, uncounted)
        await workshop.run(*arguments)


if __name__ == "__main__":
    asyncio.run(work(msgspec.json.decode(sys.argv[1], type=Orders)))
