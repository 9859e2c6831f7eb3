"""The outbox and its relay, on a real Postgres and a real Kafka: order, repeats, leases and what wakes them."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

import pytest
from psycopg import Rollback

from bus.admin import provision
from bus.reader import PartitionReader
from events.topics import TASKS, Names, Topic
from events.wire import Outgoing
from handlers import relay
from handlers.relay import Pace, Relay
from store import lease, outbox
from store.doorbell import Doorbell
from store.errors import Fenced
from store.postgres import Connection, connect
from tests.integration.hands_kit import Floor, floor
from tests.said import PATIENCE_S
from tests.stacks import Namespace


class Broker:
    """A broker that remembers, and may fail after it has taken the records."""

    def __init__(self) -> None:
        self.got: list[Outgoing] = []
        self.fails = False

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Take records; raise afterwards if told to, as when the acknowledgement is lost."""
        self.got += records
        if self.fails:
            raise ConnectionError("acknowledgement lost")

    @property
    def numbers(self) -> list[int]:
        """Return what was published, by number."""
        return [int(record.value) for record in self.got]


def records(numbers: Sequence[int], topic: str = "t") -> list[Outgoing]:
    """Return numbered records of five keys."""
    return [Outgoing(topic, f"k{n % 5}".encode(), (("ce_id", b"\xff\x00"),), str(n).encode()) for n in numbers]


async def started(hall: Floor, broker: Broker, name: str = "r1", lease_s: float = 30.0) -> Relay:
    """Return a relay that holds what is free."""
    await lease.open_shards(hall.connection)
    made = Relay(hall.connection, broker, name, Pace(lease_s=lease_s, batch=50), time.monotonic)
    await made.hold()
    return made


async def test_rows_are_published_whole_and_in_order_and_marked(namespace: Namespace) -> None:
    """What was put is published byte for byte, each key in order, once; then nothing is left."""
    async with floor(namespace.postgres) as hall:
        broker = Broker()
        await outbox.put(hall.connection, records(range(120)))
        made = await started(hall, broker)

        sent = [await made.pass_on() for _ in range(4)]

        assert sent == [50, 50, 20, 0]
        assert broker.got == records(range(120))
        assert await outbox.depth(hall.connection) == (0, 0.0)


async def test_nothing_is_published_that_did_not_commit(namespace: Namespace) -> None:
    """A record exists with its transaction or not at all."""
    async with floor(namespace.postgres) as hall:
        broker = Broker()
        with suppress(Rollback):
            async with hall.connection.transaction() as transaction:
                await outbox.put(hall.connection, records([1]))
                raise Rollback(transaction)
        await outbox.put(hall.connection, records([2]))

        await (await started(hall, broker)).pass_on()

        assert broker.numbers == [2]


async def test_a_row_is_marked_only_after_the_acknowledgement(namespace: Namespace) -> None:
    """If the acknowledgement is lost, the same records are published again; none is lost."""
    async with floor(namespace.postgres) as hall:
        broker = Broker()
        await outbox.put(hall.connection, records(range(3)))
        made = await started(hall, broker)
        broker.fails = True
        with pytest.raises(ConnectionError):
            await made.pass_on()
        broker.fails = False

        await made.pass_on()

        assert broker.numbers == [0, 1, 2, 0, 1, 2]


async def test_a_relay_that_slept_through_a_takeover_stops(namespace: Namespace) -> None:
    """Its last batch may be published twice; it marks nothing, renews nothing, and says that it is fenced."""
    async with floor(namespace.postgres) as hall:
        asleep, awake = Broker(), Broker()
        await outbox.put(hall.connection, records(range(3)))
        old = await started(hall, asleep, "old", lease_s=0.0)
        await asyncio.sleep(0.01)
        new = await started(hall, awake, "new")

        with pytest.raises(Fenced):
            await old.pass_on()
        await new.pass_on()

        assert awake.numbers == [0, 1, 2]
        assert new.shards == list(range(outbox.SHARDS))
        with pytest.raises(Fenced):
            await old.hold()


async def test_a_second_relay_stands_by_until_the_first_lets_go(namespace: Namespace) -> None:
    """One relay per shard; a clean stop hands over at once."""
    async with floor(namespace.postgres) as hall:
        first = await started(hall, Broker(), "first")
        second = await started(hall, Broker(), "second")
        idle = (second.shards, await second.pass_on())
        await first.let_go()

        await second.hold()

        assert idle == ([], 0)
        assert second.shards == list(range(outbox.SHARDS))


async def test_old_rows_are_purged_in_small_bites(namespace: Namespace) -> None:
    """Rows stay for a while after their publication, then go, a few at a time; what waits stays."""
    async with floor(namespace.postgres) as hall:
        await outbox.put(hall.connection, records(range(10)))
        await (await started(hall, Broker())).pass_on()
        await outbox.put(hall.connection, records([99]))

        kept = await outbox.purge(hall.connection, 4, keep_s=60.0)
        bites = [await outbox.purge(hall.connection, 4, keep_s=0.0) for _ in range(4)]

        assert (kept, bites) == (0, [4, 4, 2, 0])
        assert (await outbox.depth(hall.connection))[0] == 1


async def test_a_commit_rings_the_doorbell(namespace: Namespace) -> None:
    """Who waits for the outbox wakes with the commit, and not before."""
    async with floor(namespace.postgres) as hall:
        doorbell = await Doorbell.install(hall.dsn, "outbox", "test")
        async with hall.connection.transaction():
            await outbox.put(hall.connection, records([1]))
            before = await doorbell.wait(0.05)
        after = await doorbell.wait(PATIENCE_S)
        await doorbell.close()

        assert (before, after) == (False, True)


async def test_keys_are_spread_over_shards_for_ever_alike() -> None:
    """A key's shard is stored in rows, so its function never changes."""
    assert [outbox.shard_of(key) for key in (b"a", b"task-1", b"")] == [3, 7, 0]
    assert {outbox.shard_of(str(n).encode()) for n in range(200)} == set(range(outbox.SHARDS))


async def read(kafka: str, topic: str, count: int) -> list[int]:
    """Read so many numbered records."""
    reader = PartitionReader(kafka, "test")
    await reader.start({(topic, part): 0 for part in range(TASKS.partitions)})
    found: list[int] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < count:
            found += [int(record.value or b"") for record in await reader.fetch()]
    await reader.stop()
    return found


async def write(connection: Connection, topic: str, count: int) -> None:
    """Commit records one by one while the relay is at work."""
    for number in range(count):
        await outbox.put(connection, records([number], topic))


async def test_two_relays_on_a_real_kafka_publish_each_row_once(namespace: Namespace) -> None:
    """With one at work and one standing by, every committed row is in the log once, each key in order."""
    names = Names(namespace.topic_prefix)
    topics: dict[str, Topic] = {names.of(TASKS): TASKS}
    await provision(namespace.kafka, topics)
    async with floor(namespace.postgres) as hall:
        stopped = asyncio.Event()
        runs = [
            asyncio.create_task(relay.run(namespace.kafka, hall.dsn, name, stopped, time.monotonic, hall.count, Pace()))
            for name in ("r1", "r2")
        ]
        writer = await connect(hall.dsn, "writer")
        await write(writer, names.of(TASKS), 60)

        got = await read(namespace.kafka, names.of(TASKS), 60)
        stopped.set()
        await asyncio.gather(*runs)
        await writer.close()

        assert sorted(got) == list(range(60))
        assert all([n for n in got if n % 5 == key] == sorted(n for n in range(60) if n % 5 == key) for key in range(5))
        assert hall.counts["relay.published"] == 60
