"""The way out: an idempotent producer that returns only after the broker has everything."""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer

from events.topics import MAX_RECORD_BYTES
from events.wire import Outgoing


class Publisher:
    """Publishes records; what `publish` returned from is on the broker, in order per key.

    After an error the outcome is unknown: the caller publishes the same records again; their ids make that harmless.
    """

    def __init__(self, kafka: str, client_id: str, linger_ms: int = 2) -> None:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=kafka,
            client_id=client_id,
            acks="all",
            enable_idempotence=True,
            linger_ms=linger_ms,
            max_request_size=MAX_RECORD_BYTES,
            request_timeout_ms=20_000,
        )

    async def start(self) -> None:
        """Connect."""
        await self._producer.start()

    async def stop(self) -> None:
        """Flush and disconnect."""
        await self._producer.stop()

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Send records and wait until the broker has them all."""
        waiting = [
            await self._producer.send(record.topic, record.value, key=record.key, headers=list(record.headers))
            for record in records
        ]
        for sent in await asyncio.gather(*waiting, return_exceptions=True):
            if isinstance(sent, BaseException):
                raise sent
