"""Dispatch as a process: it reads a real log, only one works at a time, and the next goes on where it stopped."""

import asyncio
from collections.abc import Sequence

import pytest

from bus.admin import provision
from bus.producer import Publisher
from events.event import Event, Fact
from events.topics import DEFAULT_TENANT, Names
from events.wire import Incoming, encode
from handlers import dispatch
from handlers.dispatch import Dispatcher, Retry
from handlers.reading import urgency
from handlers.sieve import Sieve
from store.errors import Fenced
from tests.builders import Log, admitted, cancel_requested, ended, given, paused, started
from tests.integration.hands_kit import Floor, asked, chose, floor, now, spec, task_id
from tests.integration.hands_kit import joined as registered_as
from tests.said import PATIENCE_S
from tests.stacks import Namespace


async def publish(kafka: str, names: Names, *events: Event[Fact]) -> None:
    """Put facts into the log."""
    publisher = Publisher(kafka, "test")
    await publisher.start()
    await publisher.publish([encode(names.of(event.fact.event_type.topic), event) for event in events])
    await publisher.stop()


def begin(hall: Floor, kafka: str, stopped: asyncio.Event) -> "asyncio.Task[None]":
    """Start a dispatch."""
    dispatcher = Dispatcher(hall.roads, now, lambda: 0.0, Retry(), hall.count)
    return asyncio.create_task(dispatch.run(kafka, hall.dsn, hall.names, dispatcher, stopped, 0.05))


async def queued(hall: Floor, count: int) -> None:
    """Wait until so many attempts are in the queue."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if await hall.value("select count(*) from ops.work_attempt") == count:
                return
            await asyncio.sleep(0.02)


async def test_a_second_dispatch_stands_by_and_goes_on_where_the_first_stopped(namespace: Namespace) -> None:
    """Nothing is queued twice or left out when the work changes hands."""
    async with floor(namespace.postgres, namespace.topic_prefix) as hall:
        await provision(namespace.kafka, hall.names.all([DEFAULT_TENANT]))
        first_stop, second_stop = asyncio.Event(), asyncio.Event()
        first = begin(hall, namespace.kafka, first_stop)
        await publish(namespace.kafka, hall.names, registered_as(spec()), *(f for n in range(9) for f in (asked(n), chose(n))))
        await queued(hall, 9)
        second = begin(hall, namespace.kafka, second_stop)
        await publish(namespace.kafka, hall.names, *(f for n in range(9, 15) for f in (asked(n), chose(n))))
        await queued(hall, 15)

        first_stop.set()
        await first
        await publish(namespace.kafka, hall.names, *(f for n in range(15, 20) for f in (asked(n), chose(n))))
        await queued(hall, 20)
        second_stop.set()
        await second

        assert len(await hall.claim()) == 20
        assert hall.counts["dispatch.queued"] == 20
        assert hall.counts["dispatch.chosen_again"] == 0


async def test_a_dispatch_whose_position_was_moved_stops(namespace: Namespace) -> None:
    """Whoever finds its position elsewhere is a zombie: it writes nothing, and says so."""
    async with floor(namespace.postgres, namespace.topic_prefix) as hall:
        await provision(namespace.kafka, hall.names.all([DEFAULT_TENANT]))
        running = begin(hall, namespace.kafka, asyncio.Event())
        await publish(namespace.kafka, hall.names, registered_as(spec()), asked(1), chose(1))
        await queued(hall, 1)
        await hall.connection.execute("update ops.fold_position set next = next + 100")
        await publish(namespace.kafka, hall.names, asked(2), chose(2))

        with pytest.raises(Fenced):
            await asyncio.wait_for(running, PATIENCE_S)

        assert (await hall.state(2))[0] is None


class Batches:
    """A source that gives batches of a list, and then silence."""

    def __init__(self, *batches: Sequence[Incoming]) -> None:
        self._batches = [list(batch) for batch in batches]

    async def fetch(self, limit: int = 500, wait_ms: int = 200) -> list[Incoming]:
        """Return the next batch."""
        return self._batches.pop(0) if self._batches else []


async def test_the_sieve_waits_for_what_is_urgent_and_keeps_every_position() -> None:
    """Records that nobody acts on travel with the next choice, the last of each partition alone; none goes back."""
    log = Log()
    log.add(asked(1), admitted(task_id(1))).add(started(task_id=task_id(7)), partition=1)
    log.add(given(task_id=task_id(7)), partition=1).add(chose(1))
    first, second = log.records[:4], log.records[4:]
    sieve = Sieve(Batches(first, second), urgency, lambda: 0.0)

    held = await sieve.fetch()
    released = await sieve.fetch()

    assert held == []
    assert [(record.partition, record.offset) for record in released] == [(0, 0), (0, 2), (1, 1)]


async def test_the_sieve_lets_nothing_wait_for_long() -> None:
    """After a while what waits is released, urgent or not."""
    times = iter([0.0, 0.0, 0.05, 0.2])
    records = Log().add(asked(1), admitted(task_id(1))).records
    sieve = Sieve(Batches(records), urgency, lambda: next(times), hold_s=0.2)

    fetched = [await sieve.fetch() for _ in range(3)]

    assert fetched == [[], [], records]


async def test_the_sieve_is_silent_when_the_log_is() -> None:
    """Nothing in, nothing out."""
    sieve = Sieve(Batches(), urgency, lambda: 1e9, hold_s=0.0)

    assert await sieve.fetch() == []


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (chose(1), "now"),
        (cancel_requested(), "now"),
        (paused(), "now"),
        (ended("failed"), "now"),
        (asked(1), "soon"),
        (admitted(), "never"),
        (started(), "never"),
        (given(), "never"),
    ],
)
def test_urgency_is_told_from_the_headers(event: Event[Fact], expected: str) -> None:
    """What somebody waits for is urgent; what dispatch does not act on is passed over without decoding."""
    (record,) = Log().add(event).records

    assert urgency(record) == expected


def test_an_unknown_type_is_looked_at() -> None:
    """What we do not know is never passed over: it becomes a dead letter."""
    (record,) = Log().raw("t", b"k", (("ce_type", b"smolit.task.unheard_of.v1"),), b"{}").records

    assert urgency(record) == "soon"
