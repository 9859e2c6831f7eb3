"""Faust: one app per processor, at least once, acknowledged by hand after everything is durable.

Traps that shape this file, all measured (../shared STACK.md): an agent that raises still acknowledges its event, and
`take_events` acknowledges in `finally`; so the stream is `noack()`, records go through a queue, and `Ack` comes after
`process`. Exact state is never in Faust tables. Its web server serves data and stays off. The JSON codec costs 20 us a
record, so values stay raw.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import faust
from faust.exceptions import ConsumerNotStarted
from faust.tables.manager import TableManager

from bus.address import security_of
from bus.tolerant import tolerate
from events.topics import MAX_RECORD_BYTES
from events.wire import Incoming, event_type
from streams.consumer import Transport
from streams.errors import SleptTooLong, StreamCrashed
from streams.processor import Processor

QUEUE = 2_000
SESSION_S = 10
HEARTBEAT_S = 2
TICK_S = 0.5
STOP_S = 10.0
TURNS = 2  # of the loop, that a record takes at most from a fetch to our queue; one was seen
SETTLE_S = 0.03  # for which a durable batch waits for those behind it, where they overlap: moving on costs a transaction
LULL_S = 0.05  # for which what nobody waits for lets others come, whose way it may share


class Came(NamedTuple):
    """A record that Faust brought: its event, the record, and whether somebody waits for what follows from it."""

    event: Any
    record: Incoming
    awaited: bool


Batch = list[Came]
UnderWay = tuple[Batch, "asyncio.Task[None]"]


class NoTables(TableManager):
    """Faust's tables, of which there are none here: Faust sleeps a second so that an app can declare them."""

    async def on_start(self) -> None:
        """Begin at once."""
        await self._update_channels()
        await self.recovery.start()


class Brain:
    """Runs one processor on Faust; `wait_failed` raises when it can go on no longer."""

    def __init__(self, processor: Processor, *, kafka: str, group: str, instance: str, data_dir: Path) -> None:
        self._processor = processor
        self._queue: asyncio.Queue[Came] = asyncio.Queue(QUEUE)
        self._room = asyncio.Semaphore(processor.overlap)
        self._under_way: asyncio.Queue[UnderWay] = asyncio.Queue()
        self.failed = asyncio.Event()
        self.error: BaseException | None = None
        self._tasks: list[asyncio.Task[None]] = []
        tolerate()
        self._app = _app(kafka, group, instance, data_dir)
        self._app.transport = Transport(self._app.conf.broker_consumer, self._app, processor.gather_s, self._wanted)
        self._attach()

    async def start(self) -> None:
        """Start the processor, then read."""
        await self._processor.start()
        self._tasks = [
            asyncio.create_task(part) for part in (self._loop(), self._acknowledge(), _notice_sleep(), self._notice_crash())
        ]
        for task in self._tasks:
            task.add_done_callback(self._ended)
        self._app.finalize()
        await self._app.start()

    async def stop(self) -> None:
        """Stop reading, let the batch under way end, disconnect."""
        with contextlib.suppress(TimeoutError):  # what crashed may never stop; the process ends all the same
            async with asyncio.timeout(STOP_S):
                await self._app.stop()
        begun = [self._under_way.get_nowait()[1] for _ in range(self._under_way.qsize())]
        for task in (*self._tasks, *begun):
            task.cancel()
        await asyncio.gather(*self._tasks, *begun, return_exceptions=True)
        await self._processor.stop()

    async def wait_failed(self) -> None:
        """Wait until the loop can go on no longer, and raise why."""
        await self.failed.wait()
        if self.error is not None:
            raise self.error

    @property
    def ready(self) -> bool:
        """Return whether partitions were assigned and records flow."""
        try:
            return bool(self._app.started and self._app.consumer.assignment())
        except ConsumerNotStarted:  # its thread is still being started
            return False

    def _attach(self) -> None:
        """Declare the one Faust agent and the signal that partitions moved."""
        topic = self._app.topic(*self._processor.topics, key_serializer="raw", value_serializer="raw", allow_empty=True)

        async def read(stream: Any) -> None:
            async for event in stream.noack().events():
                record = _incoming(event.message)
                await self._queue.put(Came(event, record, self._processor.foresee(record)))

        self._app.agent(topic, name=f"{self._app.conf.id}.read")(read)

        async def moved(*_: Any, **__: Any) -> None:
            self._processor.assigned()

        self._app.on_partitions_assigned.connect(moved, weak=False)

    async def _loop(self) -> None:
        """Begin greedy batches: as many as have been fetched, never waiting for more."""
        async for batch in self._batches():
            records = [came.record for came in batch]
            self._under_way.put_nowait((batch, asyncio.create_task(self._processor.process(records))))

    async def _acknowledge(self) -> None:
        """Acknowledge batches in the order in which they came, each when it and all before it are durable."""
        while True:
            durable = await self._durable()
            passed = [came for batch in durable for came in batch]
            await self._processor.passed([came.record for came in passed])
            for came in passed:
                came.event.ack()
            self._app.consumer.settle()
            for _ in durable:
                self._room.release()

    async def _durable(self) -> list[Batch]:
        """Return the next batch, and those begun soon after it, once all are durable: they move on together."""
        durable = [await self._ended_well(await self._under_way.get())]
        if self._processor.overlap > 1:
            await asyncio.sleep(SETTLE_S)
            for _ in range(self._under_way.qsize()):
                durable.append(await self._ended_well(self._under_way.get_nowait()))
        return durable

    async def _ended_well(self, under_way: UnderWay) -> Batch:
        """Wait for a batch, and return it."""
        batch, begun = under_way
        await begun
        return batch

    async def _batches(self) -> AsyncIterator[Batch]:
        while True:
            await self._room.acquire()
            batch = [await self._queue.get()]
            await self._let_come()
            self._take_more(batch)
            if not any(came.awaited for came in batch):
                await self._let_others_join(batch)
            yield batch

    async def _let_others_join(self, batch: Batch) -> None:
        """Wait for a record that somebody waits for, or for a full batch, but not for long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LULL_S):
                while len(batch) < self._processor.batch and not batch[-1].awaited:
                    batch.append(await self._queue.get())

    def _take_more(self, batch: Batch) -> None:
        """Add what is there."""
        while len(batch) < self._processor.batch and not self._queue.empty():
            batch.append(self._queue.get_nowait())

    async def _let_come(self) -> None:
        """Let the rest of a fetch come through Faust, which takes some turns of the loop for each record of it."""
        before = -1
        while before < self._queue.qsize() < self._processor.batch:
            before = self._queue.qsize()
            for _ in range(TURNS):
                await asyncio.sleep(0)

    def _wanted(self, message: Any) -> bool:
        """Return whether the processor reads this type; on a request topic everything is read."""
        return not self._processor.wants or event_type(message.headers or ()) in self._processor.wants

    async def _notice_crash(self) -> None:
        """Raise when a part of Faust crashed: a killed broker can end its fetcher for good (seen once in 245 kills)."""
        while not self._app.crashed:  # noqa: ASYNC110 Faust keeps the event to itself
            await asyncio.sleep(TICK_S)
        raise StreamCrashed(f"the stream of {self._processor.name} stopped reading: {self._app.crash_reason!r}")

    def _ended(self, work: "asyncio.Task[None]") -> None:
        """Tell whoever waits why the loop ended."""
        if not work.cancelled() and not self.failed.is_set():
            self.error = work.exception()
            self.failed.set()


def _incoming(message: Any) -> Incoming:
    """Return a message of Faust as a record of ours."""
    return Incoming(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        headers=tuple(message.headers or ()),
        value=message.value,
    )


async def _notice_sleep() -> None:
    """Raise when this process stood still so long that its session may have ended: heartbeats were due before that, too."""
    last = time.monotonic()
    while True:
        await asyncio.sleep(TICK_S)
        now = time.monotonic()
        if now - last > SESSION_S - HEARTBEAT_S:
            raise SleptTooLong(f"this process stood still for {now - last:.0f} s and may have lost its session")
        last = now


def _credentials(kafka: str) -> Any:
    """Return what Faust signs in with; None where nothing is asked for."""
    security = security_of(kafka)
    if security.signs_in:
        return faust.SASLCredentials(
            username=security.user, password=security.password, mechanism=security.mechanism, ssl_context=security.trust()
        )
    trust = security.trust()
    return faust.SSLCredentials(trust) if trust else None


def _app(kafka: str, group: str, instance: str, data_dir: Path) -> Any:
    """Return a Faust app with the settings that were measured to matter."""
    (data_dir / group / instance).mkdir(parents=True, exist_ok=True)
    logging.getLogger("faust").setLevel(logging.WARNING)  # it builds a log record per message otherwise
    return faust.App(
        group,
        broker=f"aiokafka://{kafka}",
        broker_credentials=_credentials(kafka),
        datadir=str(data_dir / group / instance),
        processing_guarantee="at_least_once",
        consumer_group_instance_id=f"{group}-{instance}",
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=4 * MAX_RECORD_BYTES,
        broker_session_timeout=SESSION_S,
        broker_heartbeat_interval=HEARTBEAT_S,
        broker_rebalance_timeout=15,
        broker_commit_interval=1.0,
        broker_max_poll_interval=300,
        stream_wait_empty=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        store="memory://",
        TableManager=NoTables,
    )
