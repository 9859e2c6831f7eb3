"""Publishing to a real Kafka: acknowledged, in order, or an error with a name."""

import asyncio
import gc

import pytest
from msgspec.structs import replace

from bus.admin import assert_topics, provision
from bus.broadcast import Broadcast
from bus.cluster import look
from bus.errors import KafkaUnreachable, RecordTooLarge, WrongTopics
from bus.producer import Published, Publisher
from bus.reader import PartitionReader
from events.topics import AGENTS, MAX_DEAD_LETTER_BYTES, MAX_RECORD_BYTES
from tests.integration import bus_kit as kit
from tests.said import PATIENCE_S


async def test_what_was_published_is_in_the_log(kafka: str) -> None:
    """`publish` returns after the broker has the records, and says where."""
    async with kit.a_topic(kafka) as topic, kit.publisher(kafka) as publisher:
        published = await publisher.publish(kit.records(topic, 3))

        assert published == [Published(topic, 0, offset) for offset in range(3)]
        async with kit.reader(kafka, {(topic, 0): 0}) as source:
            assert await source.ends() == {(topic, 0): 3}


async def test_records_of_one_key_stay_in_order(kafka: str) -> None:
    """A hundred batches, sent while others are on their way, arrive as they were sent."""
    async with kit.a_topic(kafka) as topic, kit.publisher(kafka) as publisher:
        for first in range(0, 1_000, 10):
            await publisher.publish(kit.records(topic, 10, first=first))

        async with kit.reader(kafka, {(topic, 0): 0}) as source:
            assert await kit.read(source, 1_000) == list(range(1_000))


async def test_nothing_to_publish_is_no_error(kafka: str) -> None:
    """An empty batch is acknowledged at once."""
    async with kit.publisher(kafka) as publisher:
        assert await publisher.publish([]) == []


async def test_what_waits_behind_a_call_that_failed_is_not_sent(kafka: str) -> None:
    """Calls may overlap, and what comes later may follow from what did not come about; the next call is free again."""
    async with kit.a_topic(kafka) as topic, kit.publisher(kafka, patience_s=3.0) as publisher:
        lost, behind = await asyncio.gather(
            publisher.publish(kit.records(f"{topic}.missing", 1)),
            publisher.publish(kit.records(topic, 1)),
            return_exceptions=True,
        )
        after = await publisher.publish(kit.records(topic, 1))

    assert isinstance(lost, WrongTopics)
    assert isinstance(behind, KafkaUnreachable)
    assert after == [Published(topic, 0, 0)]


@pytest.mark.parametrize(
    ("suffix", "limit"), [("", MAX_RECORD_BYTES), (".dlq", MAX_DEAD_LETTER_BYTES)], ids=["facts", "dead letters"]
)
async def test_a_record_above_the_limit_is_named_and_nothing_is_sent(kafka: str, suffix: str, limit: int) -> None:
    """The batch of a record that is too large stays away as a whole, and the publisher still works."""
    topic = kit.name() + suffix
    await kit.create(kafka, topic, config={"max.message.bytes": str(limit)})
    small, large = kit.records(topic, 2)
    async with kit.publisher(kafka) as publisher:
        with pytest.raises(RecordTooLarge, match=f"a record for {topic} has .* bytes; {limit} are allowed"):
            await publisher.publish([small, replace(large, value=b"x" * limit)])

        assert await publisher.publish([small]) == [Published(topic, 0, 0)]
    await kit.delete(kafka, topic)


async def test_the_largest_record_we_allow_is_taken_by_the_broker(kafka: str) -> None:
    """Our limit lies below the broker's, whose refusal would leave the producer unusable."""
    async with kit.a_topic(kafka, config=AGENTS.config) as topic, kit.publisher(kafka) as publisher:
        (record,) = kit.records(topic, 1)
        largest = replace(record, value=b"x" * (MAX_RECORD_BYTES - 300))

        assert await publisher.publish([largest]) == [Published(topic, 0, 0)]


async def test_a_missing_topic_is_named(kafka: str) -> None:
    """A topic that nobody made is not waited for without end."""
    topic = kit.name()
    async with kit.publisher(kafka, patience_s=1.0) as publisher:
        with pytest.raises(WrongTopics, match=f"topics are missing: {topic}"):
            await publisher.publish(kit.records(topic, 1))


async def test_a_broker_that_falls_silent_is_unreachable_and_comes_back(kafka: str) -> None:
    """A publisher waits no longer than it was told to, and works again afterwards; repeats are the price."""
    async with kit.a_topic(kafka) as topic, kit.publisher(kafka, patience_s=3.0) as publisher:
        await publisher.publish(kit.records(topic, 1))
        with kit.frozen(kafka), pytest.raises(KafkaUnreachable):
            await publisher.publish(kit.records(topic, 1, first=1))

        await kit.until(lambda: _published(publisher, topic))
        async with kit.reader(kafka, {(topic, 0): 0}) as source:
            found = await kit.read(source, 2)

    assert found[:2] == [0, 1]


async def _published(publisher: Publisher, topic: str) -> bool:
    """Publish once more; a broker that just woke may need another try."""
    try:
        await publisher.publish(kit.records(topic, 1, first=1))
    except KafkaUnreachable:
        return False
    return True


async def test_a_publisher_stops_although_the_broker_is_silent(kafka: str) -> None:
    """Records that cannot be flushed hold nobody back, and no task is left behind."""
    async with kit.a_topic(kafka) as topic:
        before = asyncio.all_tasks()
        publisher = Publisher(kafka, "test", patience_s=1.0)
        await publisher.start()
        with kit.frozen(kafka):
            with pytest.raises(KafkaUnreachable):
                await publisher.publish(kit.records(topic, 1))
            async with asyncio.timeout(PATIENCE_S):
                await publisher.stop()

        assert asyncio.all_tasks() == before


async def test_a_publisher_that_is_not_started_says_so(kafka: str) -> None:
    """Publishing before the start, or after the stop, is an error of ours."""
    publisher = Publisher(kafka, "test")
    with pytest.raises(KafkaUnreachable, match="not started"):
        await publisher.publish([])

    await publisher.stop()


@pytest.mark.parametrize("outage", ["refused", "silent", "hangs up"])
async def test_nobody_waits_long_for_a_kafka_that_is_not_there(outage: str) -> None:
    """Every way in gives the same named error within seconds and leaves nothing open."""
    async with kit.silent_broker(hang_up=outage == "hangs up") as address:
        kafka = "127.0.0.1:1" if outage == "refused" else address
        async with asyncio.timeout(PATIENCE_S):
            outcomes = await asyncio.gather(
                look(kafka),
                provision(kafka, {"t": AGENTS}),
                assert_topics(kafka, {"t": AGENTS}),
                Publisher(kafka, "test").start(),
                PartitionReader(kafka, "test").start({("t", 0): 0}),
                PartitionReader(kafka, "test").partitions_of("t"),
                Broadcast(kafka, "test", ["t"]).start(print),
                return_exceptions=True,
            )

    assert [type(outcome) for outcome in outcomes] == [KafkaUnreachable] * 7
    assert all(kafka in str(outcome) and "smolit up" in str(outcome) for outcome in outcomes)
    gc.collect()  # what was left open says so now, and warnings are errors
