"""The way out: an idempotent producer that returns only after the broker has everything."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, UnknownTopicOrPartitionError

from bus.address import options
from bus.cluster import client, look, unreachable
from bus.errors import BusError, KafkaRefused, KafkaUnreachable, RecordTooLarge, WrongTopics
from events.topics import MAX_DEAD_LETTER_BYTES, max_bytes_of
from events.wire import Outgoing

_NO_ANSWER = (TimeoutError, KafkaTimeoutError, KafkaConnectionError, UnknownTopicOrPartitionError)
_RECORD_OVERHEAD = 256  # of a record and its batch on the wire, rounded up from 61 + 21 + 10 per header


class Published(NamedTuple):
    """Where a record lies in the log."""

    topic: str
    partition: int
    offset: int


class Publisher:
    """Publishes records; what `publish` returned from is on the broker, in order per key.

    After an error the outcome is unknown: the caller publishes the same records again; their ids make that harmless.
    After KafkaRefused it must be stopped and started first, for aiokafka keeps the refusal.
    `patience_s` bounds every wait: aiokafka's idempotent producer tries for ever, and its callers would wait as long.
    """

    def __init__(self, kafka: str, client_id: str, patience_s: float = 10.0) -> None:
        self._kafka = kafka
        self._patience_s = patience_s
        self._client_id = client_id
        self._handing = asyncio.Lock()
        self._failures = 0
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect.

        Raises:
            KafkaUnreachable: nobody answers.
        """
        async with client(self._kafka):
            pass  # a producer waits for its first broker without end; this has a limit
        producer = self._producer = _producer(self._kafka, self._client_id, self._patience_s)
        try:
            async with asyncio.timeout(self._patience_s):
                await producer.start()
        except (KafkaError, TimeoutError) as error:
            await self.stop()
            raise unreachable(self._kafka, error) from error

    async def stop(self) -> None:
        """Flush and disconnect; what a silent broker keeps us from flushing was never acknowledged, and is let go."""
        if self._producer is None:
            return
        producer, self._producer = self._producer, None
        try:
            async with asyncio.timeout(self._patience_s):
                await producer.stop()
        except TimeoutError:
            await _abandon(producer)

    async def publish(self, records: Sequence[Outgoing]) -> list[Published]:
        """Send records, wait until the broker has them all, and return where each one lies.

        Calls may overlap: records are handed to the client in the order of the calls, and none of a call that was waiting
        when one before it failed.

        Raises:
            RecordTooLarge: a record is above the limit; none was sent.
            KafkaUnreachable: no answer came in time, to these or to records before them; they may or may not be in the log.
            WrongTopics: a topic is missing.
            KafkaRefused: the broker answered with another error.
        """
        if self._producer is None:
            raise KafkaUnreachable("the publisher is not started")
        for record in records:
            _assert_fits(record)
        failures = self._failures
        try:
            async with asyncio.timeout(self._patience_s):
                return await _outcome(await self._hand_over(self._producer, records, failures))
        except (KafkaError, TimeoutError) as error:
            self._failures += 1
            raise await self._named(error, records) from error

    async def _hand_over(
        self, producer: AIOKafkaProducer, records: Sequence[Outgoing], failures: int
    ) -> "list[asyncio.Future[Any]]":
        """Hand all records to the client, none of another call between them."""
        async with self._handing:
            if failures != self._failures:
                raise KafkaUnreachable("records before these did not reach the broker; these were not sent")
            return [
                await producer.send(record.topic, record.value, key=record.key, headers=list(record.headers))
                for record in records
            ]

    async def _named(self, error: Exception, records: Sequence[Outgoing]) -> BusError:
        """Return an error of the client as one of ours; a missing topic looks like a timeout, so we look."""
        if not isinstance(error, _NO_ANSWER):
            return KafkaRefused(f"Kafka at {self._kafka} refused a record: {error!r}")
        try:
            missing = {record.topic for record in records} - set(await look(self._kafka))
        except KafkaUnreachable as still:
            return still
        if missing:
            return WrongTopics(f"topics are missing: {', '.join(sorted(missing))}; make them with `smolit up`")
        return unreachable(self._kafka, error)


MakePublisher = Callable[[str, str], Publisher]  # address, client id


def _producer(kafka: str, client_id: str, patience_s: float) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        **options(kafka),
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        linger_ms=0,  # who calls has gathered already, and what comes while a request is under way gathers by itself
        max_request_size=MAX_DEAD_LETTER_BYTES,
        request_timeout_ms=int(patience_s * 1000),
    )


async def _outcome(waiting: "Sequence[asyncio.Future[Any]]") -> list[Published]:
    """Wait for each record; the first error is raised after every record has its outcome."""
    published = []
    for sent in await asyncio.gather(*waiting, return_exceptions=True):
        if isinstance(sent, BaseException):
            raise sent
        published.append(Published(sent.topic, sent.partition, sent.offset))
    return published


def _assert_fits(record: Outgoing) -> None:
    """Refuse a record that its topic would not take, before any of its batch is sent.

    The broker's own refusal would come too late: an idempotent producer of aiokafka does not recover from it.
    """
    headers = sum(len(name.encode()) + len(content) + 10 for name, content in record.headers)
    size = len(record.key) + len(record.value) + headers + _RECORD_OVERHEAD
    if size > (limit := max_bytes_of(record.topic)):
        raise RecordTooLarge(f"a record for {record.topic} has {size} bytes; {limit} are allowed")


async def _abandon(producer: AIOKafkaProducer) -> None:
    """End a producer whose broker does not answer.

    aiokafka has no public way: `stop` waits for the flush, and the flush tries for ever. The connections go first, so
    that what is in flight fails; then the sender is cancelled until it has ended (each cancel ends one wait in it).
    """
    await producer.client.close()
    sender = producer._sender.sender_task
    while sender is not None and not sender.done():
        sender.cancel()
        await asyncio.wait([sender], timeout=0.1)
