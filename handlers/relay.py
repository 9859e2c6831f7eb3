"""The relay: publishes what the outbox holds, in order, and marks it only after the broker has it.

It may publish a row twice (killed before the mark, or asleep while another took over); ids are derived, so the first
in the log wins and the repeat is harmless.
"""

import asyncio
from asyncio import Event
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from bus.producer import MakePublisher, Publisher
from events.wire import Outgoing
from handlers.count import Count
from store import lease, outbox
from store.doorbell import Doorbell
from store.postgres import Connect, Connection, connect

Timer = Callable[[], float]


class Sink(Protocol):
    """Where records go; `publish` returns after the broker has them all."""

    async def publish(self, records: Sequence[Outgoing]) -> object:
        """Publish records in order per key."""
        ...


class Pace(Struct, frozen=True):
    """How the relay works: lease length, fallback poll, rows per batch, and how long published rows stay.

    After a ring, rows may gather for `gather_s`: the start of a short attempt, its end and the answer then go out together,
    and everybody who follows the topic is woken once.
    """

    lease_s: float = 5.0
    poll_s: float = 0.25
    batch: int = 500
    gather_s: float = 0.02
    keep_s: float = 3600.0
    purge_every_s: float = 10.0
    purge_bite: int = 2000


class Relay:
    """One relay: the shards it holds, and the steps of its loop."""

    def __init__(self, connection: Connection, sink: Sink, relay_id: str, pace: Pace, timer: Timer) -> None:
        self._connection = connection
        self._sink = sink
        self._id = relay_id
        self._pace = pace
        self._timer = timer
        self._held: dict[int, int] = {}
        self._renewed_at = timer()
        self._purged_at = timer()

    @property
    def shards(self) -> list[int]:
        """Return the shards held; none while another relay does the work."""
        return sorted(self._held)

    async def hold(self) -> None:
        """Take free shards, and prolong those held at a third of the lease.

        Raises:
            Fenced: another relay holds one of ours.
        """
        now = self._timer()
        if self._held and now - self._renewed_at < self._pace.lease_s / 3:
            return
        if self._held:
            await lease.renew(self._connection, self._held, self._pace.lease_s)
        self._held |= await lease.take_free(self._connection, self._id, self._pace.lease_s)
        self._renewed_at = now

    async def pass_on(self) -> int:
        """Publish one batch and mark it; return how many records it had.

        Raises:
            Fenced: another relay holds one of our shards.
        """
        if not self._held:
            return 0
        rows = await outbox.unpublished(self._connection, list(self._held), self._pace.batch)
        if rows:
            await self._sink.publish([row.record for row in rows])
            await outbox.mark(self._connection, rows, self._held)
        return len(rows)

    async def tidy(self) -> int:
        """Delete a bite of what was published long ago, now and then; return how many rows."""
        if not self._held or self._timer() - self._purged_at < self._pace.purge_every_s:
            return 0
        self._purged_at = self._timer()
        return await outbox.purge(self._connection, self._pace.purge_bite, self._pace.keep_s)

    async def let_go(self) -> None:
        """Free the shards at a clean stop."""
        await lease.release(self._connection, self._held)
        self._held = {}


async def loop(relay: Relay, doorbell: Doorbell, stopped: Event, pace: Pace, count: Count) -> None:
    """Publish until told to stop; waits only when nothing is left."""
    while not stopped.is_set():
        await relay.hold()
        sent = await relay.pass_on()
        count("relay.published", sent)
        count("relay.purged", await relay.tidy())
        if sent < pace.batch and await doorbell.wait(pace.poll_s):  # what is committed from now on rings
            await asyncio.sleep(pace.gather_s)
    await relay.let_go()


async def run(
    kafka: str,
    dsn: str,
    relay_id: str,
    stopped: Event,
    timer: Timer,
    count: Count,
    pace: Pace,
    *,
    connect: Connect = connect,
    make_publisher: MakePublisher = Publisher,
) -> None:
    """Relay until told to stop; any error ends it, and the runner starts it again.

    Raises:
        Fenced: another relay took over while this one was asleep.
    """
    connection = await connect(dsn, relay_id)
    doorbell = await Doorbell.install(dsn, "outbox", relay_id)
    publisher = make_publisher(kafka, relay_id)
    await publisher.start()
    try:
        await lease.open_shards(connection)
        await loop(Relay(connection, publisher, relay_id, pace, timer), doorbell, stopped, pace, count)
    finally:
        await publisher.stop()
        await doorbell.close()
        await connection.close()
