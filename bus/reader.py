"""The way in for plain consumers: partitions assigned by hand, read from the positions that Postgres holds."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, OffsetOutOfRangeError

from bus.address import options
from bus.cluster import TopicSeen, assert_same_logs, look, unreachable
from bus.errors import BusError, KafkaRefused, KafkaUnreachable, LogChanged, WrongTopics
from bus.tolerant import tolerate
from events.topics import MAX_DEAD_LETTER_BYTES
from events.wire import Incoming

Place = tuple[str, int]
# The client asks for all partitions at once, and asks again only when that answer came: a partition that was being read out
# meanwhile waits this long at most. Shorter waits cost an idle broker a tenth of a core.
MAX_WAIT_MS = 250


class PartitionReader:
    """Reads given partitions from given offsets; it has no group, so nothing but the caller moves a position.

    While it runs, a broker that is away is waited for: `fetch` returns nothing until it is back.
    """

    def __init__(self, kafka: str, client_id: str) -> None:
        self._kafka = kafka
        self._client_id = client_id
        self._consumer: AIOKafkaConsumer | None = None
        self._next: dict[Place, int] = {}  # what `fetch` would return, as far as it can be told
        self.logs: dict[str, str] = {}

    async def start(self, positions: Mapping[Place, int], remembered: Mapping[str, str] | None = None) -> None:
        """Connect and go to the given positions. `logs` then holds the id of each topic's log, to be kept with them.

        `remembered` are the log ids kept with the positions earlier, by topic; without them a topic made anew is seen
        only if it is shorter than our position.

        Raises:
            KafkaUnreachable: nobody answers.
            WrongTopics: a partition is not there.
            LogChanged: the log is not the one that the positions were taken from.
        """
        present = await look(self._kafka)
        assert_same_logs(remembered or {}, present)
        _assert_there(positions, present)
        self.logs = {topic: present[topic].log for topic, _ in positions}
        started = False
        try:
            await self._connect(positions)
            started = True
        except KafkaError as error:
            raise self._named(error) from error
        finally:
            if not started:
                await self.stop()

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await consumer.stop()

    async def ends(self) -> dict[Place, int]:
        """Return the end of each partition as of now (the offset of the next record).

        Raises:
            KafkaUnreachable: nobody answers.
        """
        consumer = self._connected()
        try:
            ends = await consumer.end_offsets(list(consumer.assignment()))
        except KafkaError as error:
            raise self._named(error) from error
        return {(partition.topic, partition.partition): end for partition, end in ends.items()}

    async def at(self, moment: datetime) -> dict[Place, int]:
        """Return the first offset of each partition whose record bears this time or a later one; its end, if there is none.

        Raises:
            KafkaUnreachable: nobody answers.
        """
        consumer = self._connected()
        stamp = int(moment.timestamp() * 1000)
        try:
            found = await consumer.offsets_for_times(dict.fromkeys(consumer.assignment(), stamp))
        except KafkaError as error:
            raise self._named(error) from error
        ends = await self.ends()
        first = {(one.topic, one.partition): at.offset for one, at in found.items() if at is not None}
        return {**ends, **first}

    async def to_end(self, place: Place) -> None:
        """Go to the end of one partition, whatever lay before it: for what is not kept, and may be gone before it was read.

        Raises:
            KafkaUnreachable: nobody answers.
        """
        consumer, partition = self._connected(), TopicPartition(*place)
        try:
            end = (await consumer.end_offsets([partition]))[partition]
        except KafkaError as error:
            raise self._named(error) from error
        consumer.seek(partition, end)
        self._next[place] = end

    def turn_to(self, positions: Mapping[Place, int]) -> None:
        """Read only these partitions from now on, each from its position; the others rest."""
        consumer = self._connected()
        consumer.pause(*consumer.assignment())
        for place, position in positions.items():
            if self._next.get(place) != position:  # a seek throws away what was asked for ahead
                consumer.seek(TopicPartition(*place), position)
                self._next[place] = position
            consumer.resume(TopicPartition(*place))

    def leave(self, places: Iterable[Place]) -> None:
        """Read these partitions no further, until `turn_to` names them; the others go on."""
        self._connected().pause(*(TopicPartition(*place) for place in places))

    async def rest(self, seconds: float) -> None:
        """Let records gather: nothing is asked for meanwhile, not even ahead, so that the next fetch brings all of them."""
        consumer = self._connected()
        awake = consumer.assignment() - consumer.paused()
        consumer.pause(*awake)
        try:
            await asyncio.sleep(seconds)
        finally:
            consumer.resume(*awake)

    async def position(self, topic: str, partition: int) -> int:
        """Return the offset of the record that `fetch` would return next."""
        return int(await self._connected().position(TopicPartition(topic, partition)))

    async def partitions_of(self, topic: str) -> list[int]:
        """Return the partition numbers of a topic, sorted; none if there is no such topic.

        Raises:
            KafkaUnreachable: nobody answers.
        """
        seen = (await look(self._kafka)).get(topic)
        return list(range(seen.partitions)) if seen else []

    async def fetch(self, limit: int = 500, wait_ms: int = 200) -> list[Incoming]:
        """Return the next records, in order within each partition; empty when nothing came in time.

        Raises:
            LogChanged: a topic was deleted or truncated under our feet.
            KafkaRefused: the broker answered with another error.
        """
        consumer = self._connected()
        try:
            fetched = await consumer.getmany(timeout_ms=wait_ms, max_records=limit)
        except KafkaError as error:
            raise self._named(error) from error
        if not fetched:
            await self._assert_still_there(consumer)
        self._next |= {(at.topic, at.partition): records[-1].offset + 1 for at, records in fetched.items()}
        return [incoming(record) for records in fetched.values() for record in records]

    async def _connect(self, positions: Mapping[Place, int]) -> None:
        """Connect and go to the positions, each of which must lie within its log."""
        tolerate()
        consumer = self._consumer = _consumer(self._kafka, self._client_id)
        await consumer.start()
        partitions = {place: TopicPartition(*place) for place in positions}
        consumer.assign(list(partitions.values()))
        first = await consumer.beginning_offsets(list(partitions.values()))
        last = await consumer.end_offsets(list(partitions.values()))
        for place, partition in partitions.items():
            _assert_within(place, positions[place], first[partition], last[partition])
            consumer.seek(partition, positions[place])
        self._next = dict(positions)

    async def _assert_still_there(self, consumer: AIOKafkaConsumer) -> None:
        """Refuse silence from a topic that is gone. The client's own view is asked first: it costs nothing."""
        if all(consumer.partitions_for_topic(topic) for topic in self.logs):
            return
        try:
            assert_same_logs(self.logs, await look(self._kafka))
        except KafkaUnreachable:
            return  # a broker that is away: we wait for it

    def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise KafkaUnreachable("the reader is not started")
        return self._consumer

    def _named(self, error: Exception) -> BusError:
        """Return an error of the client as one of ours."""
        return _named(self._kafka, error)


async def ends_of(kafka: str, client_id: str, places: Iterable[Place]) -> dict[Place, int]:
    """Return the end of each partition as of now, also of one whose first records are gone.

    Raises:
        KafkaUnreachable: nobody answers.
        WrongTopics: a partition is not there.
        KafkaRefused: the broker answered with another error.
    """
    wanted = list(places)
    _assert_there(wanted, await look(kafka))
    tolerate()
    consumer = _consumer(kafka, client_id)
    try:
        await consumer.start()
        found = await consumer.end_offsets([TopicPartition(*place) for place in wanted])
    except KafkaError as error:
        raise _named(kafka, error) from error
    finally:
        await consumer.stop()
    return {(one.topic, one.partition): end for one, end in found.items()}


MakeReader = Callable[[str, str], PartitionReader]  # address, client id


def _named(kafka: str, error: Exception) -> BusError:
    """Return an error of the client as one of ours."""
    match error:
        case OffsetOutOfRangeError():
            return LogChanged(f"the log moved away from our position: {error}")
        case KafkaConnectionError() | KafkaTimeoutError():
            return unreachable(kafka, error)
        case _:
            return KafkaRefused(f"Kafka at {kafka} refused a read: {error!r}")


def _consumer(kafka: str, client_id: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        **options(kafka),
        client_id=client_id,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        max_partition_fetch_bytes=2 * MAX_DEAD_LETTER_BYTES,
        fetch_max_wait_ms=MAX_WAIT_MS,
        request_timeout_ms=20_000,
    )


def _assert_there(places: Iterable[Place], present: Mapping[str, TopicSeen]) -> None:
    """Refuse partitions that are not there: the client would wait for them without a word."""
    for topic, partition in places:
        if topic not in present:
            raise WrongTopics(f"topic {topic} is missing; make it with `smolit up`")
        if partition >= present[topic].partitions:
            raise WrongTopics(f"topic {topic} has {present[topic].partitions} partitions, no number {partition}")


def _assert_within(place: Place, position: int, first: int, last: int) -> None:
    """Refuse a position outside the log."""
    if not first <= position <= last:
        raise LogChanged(
            f"{place[0]} partition {place[1]} runs from {first} to {last}, but we stand at {position}: the topic was "
            "deleted, truncated or made anew"
        )


def incoming(record: ConsumerRecord[bytes, bytes]) -> Incoming:
    """Return a record of aiokafka as ours."""
    return Incoming(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        headers=tuple(record.headers),
        value=record.value,
    )


def by_place(records: Sequence[Incoming]) -> dict[Place, list[Incoming]]:
    """Return records grouped by partition, in order."""
    grouped: dict[Place, list[Incoming]] = {}
    for record in records:
        grouped.setdefault((record.topic, record.partition), []).append(record)
    return grouped
