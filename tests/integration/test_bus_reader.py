"""Reading partitions of a real Kafka from positions of our own, and noticing when the log is another one."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from msgspec.structs import replace

from bus.admin import admin
from bus.errors import LogChanged, WrongTopics
from bus.reader import PartitionReader, by_place
from events.topics import TASKS
from events.wire import Incoming
from tests.integration import bus_kit as kit
from tests.said import PATIENCE_S


async def truncate(kafka: str, topic: str, before: int) -> None:
    """Delete the records of partition 0 below an offset."""
    async with admin(kafka) as connected:
        await connected.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=before)})


async def test_records_come_in_order_from_the_position(kafka: str) -> None:
    """Reading starts at the given offset, not at a group's, and leaves nothing out."""
    async with kit.a_topic(kafka) as topic:
        await kit.publish(kafka, kit.records(topic, 20))

        async with kit.reader(kafka, {(topic, 0): 5}) as source:
            assert await kit.read(source, 15) == list(range(5, 20))
            assert await source.ends() == {(topic, 0): 20}
            assert await source.position(topic, 0) == 20


async def test_a_record_keeps_its_place_key_and_headers(kafka: str) -> None:
    """What was written is what is read."""
    async with kit.a_topic(kafka) as topic:
        await kit.publish(kafka, kit.records(topic, 1, key=b"task"))

        async with kit.reader(kafka, {(topic, 0): 0}) as source:
            (record,) = (await source.fetch(wait_ms=60_000))[:1]

    assert (record.origin, record.key, record.headers, record.value) == (f"{topic}/0/0", b"task", (("ce_id", b"0"),), b"0")


async def test_an_idle_topic_gives_nothing_and_no_error(kafka: str) -> None:
    """Silence is no failure."""
    async with kit.a_topic(kafka) as topic, kit.reader(kafka, {(topic, 0): 0}) as source:
        assert await source.fetch(wait_ms=50) == []


async def test_what_gathers_while_a_reader_rests_comes_at_once(kafka: str) -> None:
    """Nothing is asked for during a rest, so that the next fetch brings all there is, not what came first."""
    async with (
        kit.a_topic(kafka) as topic,
        kit.reader(kafka, {(topic, 0): 0}) as source,
        kit.publisher(kafka) as publisher,  # there already: a start of its own could outlast the rest
    ):
        await publisher.publish(kit.records(topic, 1))
        await kit.read(source, 1)
        resting = asyncio.create_task(source.rest(6.0))
        await asyncio.sleep(0.3)
        await publisher.publish(kit.records(topic, 1))
        await asyncio.sleep(0.3)
        await publisher.publish(kit.records(topic, 2))
        assert not resting.done()
        await resting

        assert len(await source.fetch(wait_ms=60_000)) == 3


async def test_a_reader_turned_back_reads_again_and_a_resting_partition_is_silent(kafka: str) -> None:
    """What was fetched and not wanted comes again, once; where it stands already, nothing that was asked for ahead is lost."""
    async with kit.a_topic(kafka, partitions=2) as topic:
        await kit.publish(kafka, kit.records(topic, 20, key=b"task"))

        async with kit.reader(kafka, {(topic, 0): 0, (topic, 1): 0}) as source:
            place = next(place for place, end in (await source.ends()).items() if end)
            other = (topic, 1 - place[1])
            source.turn_to({place: 0})
            first = await kit.read(source, 20)
            source.turn_to({place: 5})
            again = await kit.read(source, 15)
            source.turn_to({other: 0})
            silent = await source.fetch(wait_ms=300)

    assert (first, again, silent) == (list(range(20)), list(range(5, 20)), [])


async def test_a_partition_that_is_left_is_read_no_further_until_it_is_turned_to(kafka: str) -> None:
    """Its records stay where they are; the other one goes on, and nothing of it is lost."""
    async with kit.a_topic(kafka, partitions=2) as topic:
        for key in range(8):
            await kit.publish(kafka, kit.records(topic, 20, key=b"%d" % key))

        async with kit.reader(kafka, {(topic, 0): 0, (topic, 1): 0}) as source:
            left, other = (topic, 0), (topic, 1)
            ends = await source.ends()
            source.leave([left])
            read = [record async for record in _up_to(source, ends[other])]
            source.turn_to({left: 0})
            later = [record async for record in _up_to(source, ends[left])]

    assert min(ends[left], ends[other]) > 0
    assert read == [(1, offset) for offset in range(ends[other])]
    assert later == [(0, offset) for offset in range(ends[left])]


async def _up_to(source: PartitionReader, count: int) -> AsyncIterator[tuple[int, int]]:
    """Yield partition and offset of so many records."""
    while count > 0:
        for record in await source.fetch(limit=7):
            count -= 1
            yield record.partition, record.offset


async def test_partitions_are_those_of_the_broker(kafka: str) -> None:
    """Partition numbers are asked for, and a topic that is not there has none."""
    async with kit.a_topic(kafka, partitions=3) as topic:
        assert await PartitionReader(kafka, "test").partitions_of(topic) == [0, 1, 2]
        assert await PartitionReader(kafka, "test").partitions_of(kit.name()) == []


@pytest.mark.parametrize("position", [4, 11])
async def test_a_position_outside_the_log_is_refused(kafka: str, position: int) -> None:
    """Below the first record facts are gone, above the last the log is another one: both stop us."""
    async with kit.a_topic(kafka) as topic:
        await kit.publish(kafka, kit.records(topic, 10))
        await truncate(kafka, topic, before=5)

        with pytest.raises(LogChanged, match=f"{topic} partition 0 runs from 5 to 10, but we stand at {position}"):
            await PartitionReader(kafka, "test").start({(topic, 0): position})


async def test_a_topic_made_anew_is_refused_however_long_it_is(kafka: str) -> None:
    """With the log id remembered beside the positions, a new log that covers them is still not ours."""
    async with kit.a_topic(kafka) as topic:
        await kit.publish(kafka, kit.records(topic, 5))
        async with kit.reader(kafka, {(topic, 0): 5}) as source:
            remembered = source.logs
        await kit.delete(kafka, topic)
        await kit.create(kafka, topic)
        await kit.publish(kafka, kit.records(topic, 50))

        with pytest.raises(LogChanged, match="was deleted and made anew"):
            await PartitionReader(kafka, "test").start({(topic, 0): 5}, remembered)


async def test_the_same_log_is_taken_up_again(kafka: str) -> None:
    """A restart with remembered ids goes on where it was."""
    async with kit.a_topic(kafka) as topic:
        await kit.publish(kafka, kit.records(topic, 5))
        async with kit.reader(kafka, {(topic, 0): 0}) as source:
            remembered = source.logs

        async with kit.reader(kafka, {(topic, 0): 3}, remembered=remembered) as source:
            assert await kit.read(source, 2) == [3, 4]


async def test_records_deleted_before_we_read_them_stop_the_reader(kafka: str) -> None:
    """A gap is not passed over in silence; the records are so large that most still lie on the broker."""
    async with kit.a_topic(kafka, config=TASKS.config) as topic:
        large = [replace(record, value=b"x" * 1_000_000) for record in kit.records(topic, 15)]
        await kit.publish(kafka, large)
        async with kit.reader(kafka, {(topic, 0): 0}) as source:
            await source.fetch(limit=1, wait_ms=60_000)
            await truncate(kafka, topic, before=15)
            await kit.publish(kafka, kit.records(topic, 1))

            with pytest.raises(LogChanged, match="the log moved away from our position"):
                await kit.drain(source)


async def test_a_topic_made_anew_under_our_feet_stops_the_reader(kafka: str) -> None:
    """A new log that is shorter than our position is seen at the next fetch."""
    async with kit.a_topic(kafka) as topic, kit.reader(kafka, {(topic, 0): 0}) as source:
        await kit.publish(kafka, kit.records(topic, 5))
        assert await kit.read(source, 5) == list(range(5))
        await kit.delete(kafka, topic)
        await kit.create(kafka, topic)

        with pytest.raises(LogChanged):
            await kit.drain(source)


async def test_a_topic_deleted_under_our_feet_stops_the_reader(kafka: str) -> None:
    """A topic that is gone is not taken for one where nothing happens."""
    async with kit.a_topic(kafka) as topic, kit.reader(kafka, {(topic, 0): 0}) as source:
        await kit.publish(kafka, kit.records(topic, 1))
        await kit.read(source, 1)
        await kit.delete(kafka, topic)

        with pytest.raises(LogChanged, match=f"topic {topic} is gone"):
            await kit.drain(source)


async def test_a_broker_that_is_away_is_waited_for(kafka: str) -> None:
    """A reader outlives a broker that does not answer for a while, and misses nothing."""
    async with kit.a_topic(kafka) as topic, kit.reader(kafka, {(topic, 0): 0}) as source:
        await kit.publish(kafka, kit.records(topic, 3))
        assert await kit.read(source, 3) == [0, 1, 2]
        with kit.frozen(kafka):
            assert await source.fetch(wait_ms=500) == []
        await kit.publish(kafka, kit.records(topic, 3, first=3))

        assert await kit.read(source, 3) == [3, 4, 5]


@pytest.mark.parametrize(("partition", "said"), [(0, "is missing"), (7, "has 2 partitions, no number 7")])
async def test_a_partition_that_is_not_there_is_named(kafka: str, partition: int, said: str) -> None:
    """Nobody waits for a partition that will never answer."""
    async with kit.a_topic(kafka, partitions=2) as topic:
        wanted = topic if partition else kit.name()

        with pytest.raises(WrongTopics, match=f"topic {wanted} {said}"):
            await PartitionReader(kafka, "test").start({(wanted, partition): 0})


async def test_records_are_grouped_by_partition_in_order(kafka: str) -> None:
    """Grouping keeps the order that each partition has."""
    async with kit.a_topic(kafka, partitions=2) as topic:
        await kit.publish(kafka, [*kit.records(topic, 5, key=b"a"), *kit.records(topic, 5, key=b"b")])
        async with kit.reader(kafka, {(topic, 0): 0, (topic, 1): 0}) as source:
            found = []
            async with asyncio.timeout(PATIENCE_S):
                while len(found) < 10:
                    found += await source.fetch()

    for (_, partition), grouped in by_place(found).items():
        assert [record.offset for record in grouped] == list(range(len(grouped)))
        assert {record.partition for record in grouped} == {partition}


@pytest.mark.parametrize("compression", [0, kit.GZIP], ids=["plain", "gzip"])
async def test_a_header_name_that_is_no_text_stops_nobody(kafka: str, compression: int) -> None:
    """Records before, with and after such a name are read, in one batch and in several."""
    async with kit.a_topic(kafka) as topic:
        raw = [(b"v", [(name, b"y")]) for name in ("good", kit.NotUtf8(), "later", "next")]
        await kit.produce_raw(kafka, topic, raw[:3], compression)
        await kit.produce_raw(kafka, topic, raw[3:], compression)

        async with kit.reader(kafka, {(topic, 0): 0}) as source:
            found: list[Incoming] = []
            while len(found) < 4:
                found += await source.fetch()

    assert [(record.offset, record.headers) for record in found] == [
        (0, (("good", b"y"),)),
        (1, (("??", b"y"),)),
        (2, (("later", b"y"),)),
        (3, (("next", b"y"),)),
    ]
