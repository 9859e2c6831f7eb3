"""A Faust processor on a real Kafka: nothing is acknowledged before it is done, and a stream that died is noticed."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from bus.admin import provision
from bus.producer import Publisher
from events.topics import TASKS, Names
from events.wire import Incoming, Outgoing
from streams.app import Brain
from streams.errors import StreamCrashed
from tests.stacks import Namespace

WAIT_S = 60


class Noting:
    """A processor that notes what it reads, and fails on a value that says so."""

    name = "noting"
    wants: frozenset[str] = frozenset()
    batch = 10
    gather_s = 0.0

    def __init__(self, topic: str, fails: bool = False) -> None:
        self.topics: tuple[str, ...] = (topic,)
        self.outcomes: Counter[str] = Counter()
        self.seen: list[bytes | None] = []
        self._fails = fails

    async def start(self) -> None:
        """Nothing to connect to."""

    async def stop(self) -> None:
        """Nothing to disconnect from."""

    def assigned(self) -> None:
        """Nothing is cached."""

    async def process(self, batch: Sequence[Incoming]) -> None:
        """Note the batch, or fail."""
        if self._fails:
            raise ValueError("planted")
        self.seen += [record.value for record in batch]


def brain_of(processor: Noting, namespace: Namespace, folder: Path) -> Brain:
    """Return the processor's stream, always under the same identity."""
    return Brain(processor, kafka=namespace.kafka, group=f"{namespace.topic_prefix}-noting", instance="1", data_dir=folder)


async def publish(namespace: Namespace, topic: str, values: Sequence[bytes]) -> None:
    """Publish values to a topic."""
    publisher = Publisher(namespace.kafka, "tests")
    await publisher.start()
    try:
        await publisher.publish([Outgoing(topic, b"key", (), value) for value in values])
    finally:
        await publisher.stop()


async def until_seen(processor: Noting, values: Sequence[bytes]) -> None:
    """Wait until the processor has noted these values."""
    async with asyncio.timeout(WAIT_S):
        while processor.seen != list(values):  # noqa: ASYNC110 a condition with a deadline
            await asyncio.sleep(0.05)


async def topic_for(namespace: Namespace) -> str:
    """Make the topic of this test."""
    name = Names(namespace.topic_prefix).of(TASKS)
    await provision(namespace.kafka, {name: TASKS})
    return name


async def test_a_batch_that_failed_is_read_again(namespace: Namespace, tmp_path: Path) -> None:
    """A processor that raises acknowledges nothing: started again, it reads the same records."""
    topic = await topic_for(namespace)
    await publish(namespace, topic, [b"one", b"two"])
    failing = brain_of(Noting(topic, fails=True), namespace, tmp_path)
    await failing.start()
    with pytest.raises(ValueError, match="planted"):
        await asyncio.wait_for(failing.wait_failed(), WAIT_S)
    await failing.stop()
    working = Noting(topic)
    brain = brain_of(working, namespace, tmp_path)
    await brain.start()
    try:
        await until_seen(working, [b"one", b"two"])
    finally:
        await brain.stop()

    assert working.seen == [b"one", b"two"]


async def test_a_part_of_faust_that_died_ends_the_stream(namespace: Namespace, tmp_path: Path) -> None:
    """When Faust's fetcher crashes, as it did after a killed broker, the stream says so instead of reading nothing."""
    topic = await topic_for(namespace)
    processor = Noting(topic)
    brain = brain_of(processor, namespace, tmp_path)
    await brain.start()
    try:
        await publish(namespace, topic, [b"one"])
        await until_seen(processor, [b"one"])
        await brain._app._fetcher.crash(RuntimeError("planted"))
        with pytest.raises(StreamCrashed, match="planted"):
            await asyncio.wait_for(brain.wait_failed(), WAIT_S)
    finally:
        await brain.stop()
