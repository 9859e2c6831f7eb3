"""Following whole topics of a real Kafka: all of the past, then everything new, at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from bus.broadcast import Broadcast
from bus.errors import LogChanged, WrongTopics
from events.wire import Incoming
from tests.integration import bus_kit as kit
from tests.said import PATIENCE_S


@asynccontextmanager
async def following(kafka: str, topics: list[str], on_event: Callable[[Incoming], None]) -> AsyncIterator[Broadcast]:
    """Lend a broadcast that has caught up."""
    broadcast = Broadcast(kafka, "test", topics)
    await broadcast.start(on_event)
    try:
        yield broadcast
    finally:
        await broadcast.stop()


async def reached(broadcast: Broadcast, topic: str, position: int) -> bool:
    """Return whether everything below a position was delivered."""
    return broadcast.position(topic) >= position


async def test_the_past_is_delivered_before_start_returns(kafka: str) -> None:
    """Whoever started a broadcast knows all that was known then, from every partition, in order."""
    async with kit.a_topic(kafka, partitions=3) as wide, kit.a_topic(kafka) as narrow:
        sent = [record for key in (b"a", b"b", b"c", b"d") for record in kit.records(wide, 700, key)]
        await kit.publish(kafka, [*sent, *kit.records(narrow, 5)])
        seen: list[Incoming] = []

        async with following(kafka, [wide, narrow], seen.append) as broadcast:
            assert broadcast.caught_up.is_set()
            assert len(seen) == 2_805
            assert broadcast.position(narrow) == 5
            assert sum(broadcast.position(wide, partition) for partition in range(3)) == 2_800

    for place in {(record.topic, record.partition) for record in seen}:
        offsets = [record.offset for record in seen if (record.topic, record.partition) == place]
        assert offsets == list(range(len(offsets)))


async def test_what_is_new_follows(kafka: str) -> None:
    """After the past the present: each new record is delivered once."""
    async with kit.a_topic(kafka) as topic:
        await kit.publish(kafka, kit.records(topic, 2))
        seen: list[Incoming] = []

        async with following(kafka, [topic], seen.append) as broadcast, kit.publisher(kafka) as publisher:
            for first in range(2, 6):
                await publisher.publish(kit.records(topic, 1, first=first))
            await kit.until(lambda: reached(broadcast, topic, 6))

    assert [record.value for record in seen] == [b"0", b"1", b"2", b"3", b"4", b"5"]


async def test_empty_topics_are_caught_up_with_at_once(kafka: str) -> None:
    """A new system starts without waiting for a first event."""
    async with kit.a_topic(kafka) as topic, following(kafka, [topic], print) as broadcast:
        assert broadcast.caught_up.is_set()
        assert broadcast.position(topic) == 0


async def test_positions_say_where_to_begin(kafka: str) -> None:
    """A reader with a snapshot begins after it; partitions without a position begin at the first record."""
    async with kit.a_topic(kafka) as known, kit.a_topic(kafka) as unknown:
        await kit.publish(kafka, [*kit.records(known, 10), *kit.records(unknown, 2)])
        seen: list[Incoming] = []
        broadcast = Broadcast(kafka, "test", [known, unknown])
        await broadcast.start(seen.append, {(known, 0): 8})
        await broadcast.stop()

    assert sorted((record.topic == known, record.value) for record in seen) == [
        (False, b"0"),
        (False, b"1"),
        (True, b"8"),
        (True, b"9"),
    ]


async def test_a_failure_in_the_past_fails_the_start(kafka: str) -> None:
    """A record that cannot be folded stops the process that needs it, before it is ready."""
    async with kit.a_topic(kafka) as topic:
        await kit.publish(kafka, kit.records(topic, 3))
        broadcast = Broadcast(kafka, "test", [topic])

        with pytest.raises(ZeroDivisionError):
            await broadcast.start(lambda record: print(1 // (1 - record.offset)))

        assert not broadcast.caught_up.is_set()


async def test_a_failure_while_following_surfaces(kafka: str) -> None:
    """Both who asks and who waits learn what ended the following; the failed record is not counted as delivered."""
    async with kit.a_topic(kafka) as topic:
        await kit.publish(kafka, kit.records(topic, 1))
        async with following(kafka, [topic], lambda record: print(1 // (1 - record.offset))) as broadcast:
            broadcast.check()
            await kit.publish(kafka, kit.records(topic, 1, first=1))
            async with asyncio.timeout(PATIENCE_S):
                with pytest.raises(ZeroDivisionError):
                    await broadcast.failed()

            with pytest.raises(ZeroDivisionError):
                broadcast.check()
            assert broadcast.position(topic) == 1


async def test_stopping_is_no_failure_and_leaves_no_task(kafka: str) -> None:
    """A stopped broadcast checks clean, delivers nothing more, and may be stopped twice."""
    async with kit.a_topic(kafka) as topic:
        before = asyncio.all_tasks()
        broadcast = Broadcast(kafka, "test", [topic])
        await broadcast.start(print)
        await broadcast.stop()
        await broadcast.stop()

        broadcast.check()
        assert asyncio.all_tasks() == before


async def test_a_missing_topic_is_named(kafka: str) -> None:
    """A broadcast does not start on half of what it was asked to follow."""
    missing = kit.name()

    with pytest.raises(WrongTopics, match=f"topics are missing: {missing}"):
        await Broadcast(kafka, "test", [missing]).start(print)


async def test_a_topic_that_disappears_ends_the_following(kafka: str) -> None:
    """Silence from a topic that is gone is a failure."""
    async with kit.a_topic(kafka) as topic, following(kafka, [topic], print) as broadcast:
        await kit.publish(kafka, kit.records(topic, 1))
        await kit.until(lambda: reached(broadcast, topic, 1))
        await kit.delete(kafka, topic)

        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(LogChanged):
                await broadcast.failed()


async def test_log_ids_are_there_to_be_kept_and_checked(kafka: str) -> None:
    """A snapshot kept with the id of its log is refused on another log."""
    async with kit.a_topic(kafka) as topic:
        async with following(kafka, [topic], print) as broadcast:
            remembered = broadcast.logs
        await kit.delete(kafka, topic)
        await kit.create(kafka, topic)

        with pytest.raises(LogChanged, match="made anew"):
            await Broadcast(kafka, "test", [topic]).start(print, remembered=remembered)
