"""What the tests of `bus/` share: a topic of one's own, records for it, and brokers that do not answer."""

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psutil
from aiokafka.admin import NewTopic
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from bus.admin import admin
from bus.cluster import client, look
from bus.errors import KafkaUnreachable
from bus.producer import Publisher
from bus.reader import PartitionReader
from events.wire import Outgoing
from tests.said import PATIENCE_S


def name() -> str:
    """Return a topic name that nobody else uses."""
    return f"bus.{secrets.token_hex(6)}.v1"


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something to become true in the broker, or in a task; a broker that just woke may not answer at once."""
    async with asyncio.timeout(PATIENCE_S):
        while not await _holds(condition):  # noqa: ASYNC110  # nothing there could set an event of ours
            await asyncio.sleep(0.02)


async def _holds(condition: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await condition()
    except KafkaUnreachable:
        return False


async def create(kafka: str, topic: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> None:
    """Make a topic."""
    async with admin(kafka) as client:
        await client.create_topics([NewTopic(topic, partitions, 1, topic_configs=dict(config or {}))])
    await until(lambda: is_there(kafka, topic))


async def delete(kafka: str, *topics: str) -> None:
    """Delete topics; those that are not there are passed over. A broker that was just frozen is waited for."""
    await until(lambda: _is_told_to_delete(kafka, *topics))
    await until(lambda: is_gone(kafka, *topics))


async def _is_told_to_delete(kafka: str, *topics: str) -> bool:
    """Return that the broker heard it; one that does not answer raises."""
    async with admin(kafka) as client:
        await client.delete_topics(list(topics))
    return True


async def is_there(kafka: str, topic: str) -> bool:
    """Return whether the broker knows a topic."""
    return topic in await look(kafka)


async def is_gone(kafka: str, *topics: str) -> bool:
    """Return whether the broker knows none of the topics."""
    return not set(topics) & set(await look(kafka))


@asynccontextmanager
async def a_topic(kafka: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> AsyncIterator[str]:
    """Lend a topic."""
    topic = name()
    await create(kafka, topic, partitions, config)
    try:
        yield topic
    finally:
        await delete(kafka, topic)


@asynccontextmanager
async def publisher(kafka: str, **settings: Any) -> AsyncIterator[Publisher]:
    """Lend a started publisher."""
    lent = Publisher(kafka, "test", **settings)
    await lent.start()
    try:
        yield lent
    finally:
        await lent.stop()


@asynccontextmanager
async def reader(kafka: str, positions: Mapping[tuple[str, int], int], **known: Any) -> AsyncIterator[PartitionReader]:
    """Lend a started reader."""
    lent = PartitionReader(kafka, "test")
    await lent.start(positions, **known)
    try:
        yield lent
    finally:
        await lent.stop()


def records(topic: str, count: int, key: bytes = b"k", first: int = 0) -> list[Outgoing]:
    """Return numbered records of one key."""
    return [
        Outgoing(topic, key, (("ce_id", str(number).encode()),), str(number).encode()) for number in range(first, first + count)
    ]


async def publish(kafka: str, outgoing: list[Outgoing]) -> None:
    """Publish records with a publisher of their own."""
    async with publisher(kafka) as lent:
        await lent.publish(outgoing)


GZIP = 1


class NotUtf8(str):
    """A header name as some C and Go clients could write it."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        """Return bytes that are no text."""
        return b"\xff\xfe"


async def produce_raw(
    kafka: str, topic: str, values: Sequence[tuple[bytes, list[tuple[str, bytes | None]]]], compression: int = 0
) -> None:
    """Write values with headers as one batch, as a client in another language could: ours refuse such names."""
    builder = _DefaultRecordBatchBuilderPy(2, compression, 0, -1, -1, -1, 10_000)
    for number, (value, headers) in enumerate(values):
        builder.append(number, 0, b"k", value, headers)
    async with client(kafka) as found:
        request = ProduceRequest(None, -1, 5_000, [(topic, [(0, bytes(builder.build()))])])
        await found.send(found.get_random_node(), request)


async def read(source: PartitionReader, count: int) -> list[int]:
    """Read until `count` records have come; return their numbers."""
    found: list[int] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < count:
            found += [int(record.value or b"-1") for record in await source.fetch()]
    return found


async def drain(source: PartitionReader) -> None:
    """Read until something is wrong; a minute of peace is an error."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            await source.fetch()


@contextmanager
def frozen(kafka: str) -> Iterator[None]:
    """Stop the broker's process as it is (SIGSTOP), and let it go on afterwards."""
    port = int(kafka.rpartition(":")[2])
    pid = next(
        there.pid
        for there in psutil.net_connections("tcp")
        if there.pid and there.status == psutil.CONN_LISTEN and there.laddr.port == port
    )
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def silent_broker(hang_up: bool = False) -> AsyncIterator[str]:
    """Listen where a Kafka should be and say nothing, or hang up at once."""

    async def serve(heard: asyncio.StreamReader, said: asyncio.StreamWriter) -> None:
        if not hang_up:
            await heard.read()
        said.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
