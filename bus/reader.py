"""The way in for plain consumers: partitions assigned by hand, read from the positions that Postgres holds."""

from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from bus.errors import LogChanged
from events.topics import MAX_RECORD_BYTES
from events.wire import Incoming

Place = tuple[str, int]


class PartitionReader:
    """Reads given partitions from given offsets; it has no group, so nothing but the caller moves a position."""

    def __init__(self, kafka: str, client_id: str) -> None:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=kafka,
            client_id=client_id,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_partition_fetch_bytes=4 * MAX_RECORD_BYTES,
            fetch_max_wait_ms=100,
            request_timeout_ms=20_000,
        )

    async def start(self, positions: Mapping[Place, int]) -> None:
        """Connect and go to the given positions.

        Raises:
            LogChanged: a position lies outside the log, so the log is not the one it was taken from.
        """
        await self._consumer.start()
        partitions = {place: TopicPartition(*place) for place in positions}
        self._consumer.assign(list(partitions.values()))
        first = await self._consumer.beginning_offsets(list(partitions.values()))
        last = await self._consumer.end_offsets(list(partitions.values()))
        for place, position in positions.items():
            partition = partitions[place]
            if not first[partition] <= position <= last[partition]:
                raise LogChanged(
                    f"{place[0]} partition {place[1]} runs from {first[partition]} to {last[partition]}, but we stand "
                    f"at {position}: the topic was deleted, truncated or made anew"
                )
            self._consumer.seek(partition, position)

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def ends(self) -> dict[Place, int]:
        """Return the end of each partition as of now (the offset of the next record)."""
        ends = await self._consumer.end_offsets(list(self._consumer.assignment()))
        return {(partition.topic, partition.partition): end for partition, end in ends.items()}

    async def partitions_of(self, topic: str) -> list[int]:
        """Return the partition numbers of a topic, sorted."""
        await self._consumer._client.force_metadata_update()
        return sorted(self._consumer.partitions_for_topic(topic) or ())

    async def fetch(self, limit: int = 500, wait_ms: int = 200) -> list[Incoming]:
        """Return the next records, in order within each partition; empty when nothing came in time.

        Raises:
            LogChanged: the log was truncated under our feet.
        """
        try:
            fetched = await self._consumer.getmany(timeout_ms=wait_ms, max_records=limit)
        except OffsetOutOfRangeError as error:
            raise LogChanged(f"the log moved away from our position: {error}") from error
        return [_incoming(record) for records in fetched.values() for record in records]


def _incoming(record: object) -> Incoming:
    """Return an aiokafka record as ours."""
    return Incoming(
        topic=record.topic,  # type: ignore[attr-defined]
        partition=record.partition,  # type: ignore[attr-defined]
        offset=record.offset,  # type: ignore[attr-defined]
        key=record.key,  # type: ignore[attr-defined]
        headers=tuple(record.headers),  # type: ignore[attr-defined]
        value=record.value,  # type: ignore[attr-defined]
    )


def by_place(records: Sequence[Incoming]) -> dict[Place, list[Incoming]]:
    """Return records grouped by partition, in order."""
    grouped: dict[Place, list[Incoming]] = {}
    for record in records:
        grouped.setdefault((record.topic, record.partition), []).append(record)
    return grouped
