"""Fill empty partitions with records that lay in others, each at the very offset that it had: positions and origins stay true."""

from collections.abc import Iterable, Mapping
from itertools import islice
from types import TracebackType
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError

from bus.address import options
from bus.admin import admin
from bus.cluster import client, unreachable
from bus.errors import LogChanged
from bus.reader import Place
from events.topics import MAX_DEAD_LETTER_BYTES
from events.wire import Incoming

# Where a log has a gap (the mark of a foreign producer's transaction), this stands in the new one; it is no event.
FILLER_HEADER = "smolit_filler"
_BATCH = 500


class Refill:
    """Writes partitions from offset 0."""

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka
        self._producer = AIOKafkaProducer(
            **options(kafka), acks="all", enable_idempotence=True, linger_ms=5, max_request_size=MAX_DEAD_LETTER_BYTES
        )

    async def __aenter__(self) -> "Refill":
        """Connect; raises KafkaUnreachable."""
        async with client(self._kafka):
            pass  # a producer waits for its first broker without end; this has a limit
        await self._producer.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Disconnect."""
        await self._producer.stop()

    async def fill(self, place: Place, records: Iterable[Incoming], end: int) -> None:
        """Write the records of one partition up to `end`, each at its offset.

        Raises:
            LogChanged: the partition was not empty, or somebody else writes to it.
            KafkaUnreachable: nobody answers.
        """
        rest, following = iter(_without_gaps(place, records, end)), 0
        try:
            while batch := list(islice(rest, _BATCH)):
                sent = [await self._send(record) for record in batch]
                for record, waiting in zip(batch, sent, strict=True):
                    following = (await waiting).offset + 1
                    if following != record.offset + 1:
                        raise LogChanged(f"{record.origin} was written to offset {following - 1}: somebody else writes there")
        except KafkaError as error:
            raise unreachable(self._kafka, error) from error

    async def _send(self, record: Incoming) -> Any:
        headers = list(record.headers)
        # The client refuses a record that has neither key nor value, which other clients may have written.
        key = b"" if record.key is None and record.value is None else record.key
        return await self._producer.send(record.topic, record.value, key=key, partition=record.partition, headers=headers)


def _without_gaps(place: Place, records: Iterable[Incoming], end: int) -> Iterable[Incoming]:
    """Yield the records with fillers where offsets are missing, up to the end."""
    following = 0
    for record in records:
        yield from (_filler(place, offset) for offset in range(following, record.offset))
        yield record
        following = record.offset + 1
    yield from (_filler(place, offset) for offset in range(following, end))


def _filler(place: Place, offset: int) -> Incoming:
    return Incoming(*place, offset, None, ((FILLER_HEADER, b"1"),), None)


async def group_offsets(kafka: str, group: str) -> dict[Place, int]:
    """Return the offsets that a consumer group has committed; none where no group ever has."""
    async with admin(kafka) as asked:
        try:
            found = await asked.list_consumer_group_offsets(group)
        except GroupCoordinatorNotAvailableError:
            return {}
    return {(part.topic, part.partition): known.offset for part, known in found.items() if known.offset >= 0}


async def commit_offsets(kafka: str, group: str, offsets: Mapping[Place, int]) -> None:
    """Commit offsets for a group that nobody is in."""
    consumer = AIOKafkaConsumer(**options(kafka), group_id=group, enable_auto_commit=False)
    try:
        await consumer.start()
        consumer.assign([TopicPartition(*place) for place in offsets])
        await consumer.commit({TopicPartition(*place): offset for place, offset in offsets.items()})
    except KafkaError as error:
        raise unreachable(kafka, error) from error
    finally:
        await consumer.stop()
