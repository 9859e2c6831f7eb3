"""The gauge: has everything that was asked for been done, by everybody, to the end of every log?"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from bus.reader import Place
from events.topics import AGENTS, DEFAULT_TENANT, TASKS
from handlers.dispatch import CONSUMER as DISPATCH
from projections.fold import CONSUMER as PROJECTIONS
from projections.runner import places as projected
from smolit.chaos.world import World

_POLL_S = 0.1
_GROUPS = ("intake", "selection", "learning")  # what each has acknowledged, Kafka knows
_POSITIONS = "select consumer, topic, partition, next from ops.fold_position"
_OPEN = """
select (select count(*) from ops.outbox where published_at is null),
  (select count(*) from ops.work_task where state = 'open'),
  (select count(*) from ops.work_attempt where state in ('queued', 'running'))"""
_AWAY = (KafkaError, psycopg.OperationalError, OSError, TimeoutError)


class Gauge:
    """Looks at positions, groups, queue and outbox; asks new connections when the old ones broke."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tasks = world.names.places(TASKS)
        self._asked = [(world.names.requests_of(DEFAULT_TENANT), number) for number in range(8)]
        self._agents = [(world.names.of(AGENTS), 0)]
        self._projected = projected(world.names, world.settings.tenants)
        self._stuck_s, self._changed = math.inf, 0.0
        self.last: list[str] = []

    async def until_still(self, patience_s: float, busy: Callable[[], int], stuck_s: float = math.inf) -> float | None:
        """Wait until nothing is left to do; return when that was (monotonic seconds), or None if it took too long.

        `busy` counts what the clients still wait for; `stuck_s`: give up when nothing has changed for so long.
        """
        end, self._stuck_s, self._changed = time.monotonic() + patience_s, stuck_s, time.monotonic()
        while time.monotonic() < end and not self._is_stuck():
            try:
                async with AsyncExitStack() as stack:
                    return await self._watch(stack, end, busy)
            except _AWAY as error:
                self.last = [f"a server is away: {type(error).__name__}"]
                await asyncio.sleep(_POLL_S)
        return None

    async def _watch(self, stack: AsyncExitStack, end: float, busy: Callable[[], int]) -> float | None:
        """Look again and again over one set of connections."""
        connection = await psycopg.AsyncConnection.connect(self._world.postgres, autocommit=True, connect_timeout=3)
        stack.push_async_callback(connection.close)
        consumer = AIOKafkaConsumer(bootstrap_servers=self._world.kafka, group_id=None, request_timeout_ms=5000)
        stack.push_async_callback(consumer.stop)
        await consumer.start()
        admin = AIOKafkaAdminClient(bootstrap_servers=self._world.kafka, request_timeout_ms=5000)
        stack.push_async_callback(admin.close)
        await admin.start()
        while time.monotonic() < end and not self._is_stuck():
            seen, before = time.monotonic(), self.last
            self.last = [f"clients wait for {busy()}"] if busy() else await self._left(connection, consumer, admin)
            if not self.last:
                return seen
            if self.last != before:
                self._changed = seen
            await asyncio.sleep(_POLL_S)
        return None

    def _is_stuck(self) -> bool:
        """Return whether nothing has changed for too long."""
        return time.monotonic() - self._changed > self._stuck_s

    async def _left(
        self, connection: "psycopg.AsyncConnection[tuple[object, ...]]", consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient
    ) -> list[str]:
        """Return what is left to do, in words; the cheap looks first."""
        row = await (await connection.execute(_OPEN)).fetchone()
        names = ("outbox rows", "open tasks", "attempts")
        left = [f"{count} {name}" for name, count in zip(names, row or (), strict=True) if count]
        if left:
            return left
        ends = await self._ends(consumer)
        rows = await (await connection.execute(_POSITIONS)).fetchall()
        folds: dict[str, dict[Place, int]] = {}
        for name, topic, partition, offset in rows:
            folds.setdefault(str(name), {})[str(topic), int(str(partition))] = int(str(offset))
        behind = [
            *_behind("intake", folds.get("intake", {}), ends, self._asked),
            *_behind(DISPATCH, folds.get(DISPATCH, {}), ends, self._tasks + self._agents),
            *_behind(PROJECTIONS, folds.get(PROJECTIONS, {}), ends, self._projected),
        ]
        return behind or await self._unacknowledged(admin, ends)

    async def _unacknowledged(self, admin: AIOKafkaAdminClient, ends: Mapping[Place, int]) -> list[str]:
        """Return which groups have not acknowledged everything."""
        left: list[str] = []
        for name in _GROUPS:
            offsets = await admin.list_consumer_group_offsets(f"{self._world.settings.topic_prefix}-{name}")
            done = {(place.topic, place.partition): seen.offset for place, seen in offsets.items()}
            left += _behind(f"{name}'s group", done, ends, self._asked if name == "intake" else self._tasks)
        return left

    async def _ends(self, consumer: AIOKafkaConsumer) -> dict[Place, int]:
        """Return the end of every partition that somebody follows."""
        places = {*self._tasks, *self._asked, *self._agents, *self._projected}
        found = await consumer.end_offsets([TopicPartition(*place) for place in sorted(places)])
        return {(place.topic, place.partition): end for place, end in found.items()}


def _behind(who: str, done: Mapping[Place, int], ends: Mapping[Place, int], places: list[Place]) -> list[str]:
    """Say how far somebody is behind, if at all."""
    left = sum(max(0, ends[place] - done.get(place, 0)) for place in places)
    return [f"{who} is {left} records behind"] if left else []
