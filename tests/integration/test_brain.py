"""A Faust processor on a real Kafka: nothing is acknowledged before it is done, and a stream that died is noticed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from bus.admin import provision
from bus.producer import Publisher
from bus.refill import group_offsets
from events.topics import TASKS, Names
from events.wire import TYPE_HEADER, Incoming, Outgoing
from streams.app import Brain
from streams.errors import StreamCrashed
from tests.said import PATIENCE_S
from tests.stacks import Namespace

NOBODY = b"nobody waits for it"


class Noting:
    """A processor that notes what it reads, and fails on a value that says so."""

    name = "noting"
    batch = 10
    overlap = 1

    def __init__(self, topic: str, fails: bool = False, wants: frozenset[str] = frozenset(), gather_s: float = 0.0) -> None:
        self.wants = wants
        self.gather_s = gather_s
        self.foreseen: list[bytes | None] = []
        self.batches: list[int] = []
        self.topics: tuple[str, ...] = (topic,)
        self.outcomes: Counter[str] = Counter()
        self.seen: list[bytes | None] = []
        self.free = asyncio.Event()
        self.free.set()
        self._fails = fails

    async def start(self) -> None:
        """Nothing to connect to."""

    async def stop(self) -> None:
        """Nothing to disconnect from."""

    def assigned(self) -> None:
        """Nothing is cached."""

    def foresee(self, record: Incoming) -> bool:
        """Note that it came; nobody waits for what says so."""
        self.foreseen.append(record.value)
        return record.value != NOBODY

    async def process(self, batch: Sequence[Incoming]) -> None:
        """Note the batch, or fail."""
        if self._fails:
            raise ValueError("planted")
        await self.free.wait()
        self.seen += [record.value for record in batch]
        self.batches.append(len(batch))

    async def passed(self, batch: Sequence[Incoming]) -> None:
        """Nothing is to be moved."""


def brain_of(processor: Noting, namespace: Namespace, folder: Path) -> Brain:
    """Return the processor's stream, always under the same identity."""
    return Brain(processor, kafka=namespace.kafka, group=f"{namespace.topic_prefix}-noting", instance="1", data_dir=folder)


@asynccontextmanager
async def publishing(namespace: Namespace, topic: str) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """Lend what publishes values to one partition of a topic, as events of a type, without a start of its own each time."""
    publisher = Publisher(namespace.kafka, "tests")
    await publisher.start()

    async def said(*values: bytes, kind: str = "plain") -> None:
        await publisher.publish([Outgoing(topic, b"key", ((TYPE_HEADER, kind.encode()),), value) for value in values])

    try:
        yield said
    finally:
        await publisher.stop()


async def publish(namespace: Namespace, topic: str, values: Sequence[bytes], kind: str = "plain") -> None:
    """Publish values to one partition of a topic, as events of a type."""
    async with publishing(namespace, topic) as said:
        await said(*values, kind=kind)


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110 a condition with a deadline
            await asyncio.sleep(0.05)


async def until_seen(processor: Noting, values: Sequence[bytes]) -> None:
    """Wait until the processor has noted these values."""
    await until(lambda: processor.seen == list(values))


async def publish_in_a_transaction(namespace: Namespace, topic: str, value: bytes) -> None:
    """Publish a value as plain producers may: the log gets a marker after it, which nobody ever reads."""
    async with AIOKafkaProducer(bootstrap_servers=namespace.kafka, transactional_id="tests") as producer, producer.transaction():
        await producer.send(topic, value, b"key")


async def acknowledged(namespace: Namespace) -> int:
    """Return the offset that the group has committed."""
    return max((await group_offsets(namespace.kafka, f"{namespace.topic_prefix}-noting")).values(), default=0)


async def until_acknowledged(namespace: Namespace, end: int) -> None:
    """Wait until the group has committed this offset."""
    async with asyncio.timeout(PATIENCE_S):
        while await acknowledged(namespace) < end:  # noqa: ASYNC110 a condition with a deadline
            await asyncio.sleep(0.2)


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
        await asyncio.wait_for(failing.wait_failed(), PATIENCE_S)
    await failing.stop()
    working = Noting(topic)
    brain = brain_of(working, namespace, tmp_path)
    await brain.start()
    try:
        await until_seen(working, [b"one", b"two"])
    finally:
        await brain.stop()

    assert working.seen == [b"one", b"two"]


async def test_what_nobody_reads_is_passed_over_and_acknowledged(namespace: Namespace, tmp_path: Path) -> None:
    """Records of other types never reach the processor, and the offset moves past them, and past markers, to the end."""
    topic = await topic_for(namespace)
    processor = Noting(topic, wants=frozenset({"wanted"}))
    brain = brain_of(processor, namespace, tmp_path)
    await publish(namespace, topic, [b"one"], "wanted")
    await publish(namespace, topic, [b"no"] * 10, "other")
    await publish_in_a_transaction(namespace, topic, b"no")
    await publish(namespace, topic, [b"two", b"three"], "wanted")
    await brain.start()
    try:
        await until_seen(processor, [b"one", b"two", b"three"])
        await publish(namespace, topic, [b"no"] * 13, "other")
        await until_acknowledged(namespace, 1 + 10 + 2 + 2 + 13)  # a marker is a record, too
    finally:
        await brain.stop()

    assert processor.seen == [b"one", b"two", b"three"]


async def test_nothing_is_acknowledged_over_the_head_of_a_record_at_work(namespace: Namespace, tmp_path: Path) -> None:
    """As long as a record is being worked on the group's offset stays at it, whatever was passed over behind it."""
    topic = await topic_for(namespace)
    processor = Noting(topic, wants=frozenset({"wanted"}))
    processor.free.clear()
    brain = brain_of(processor, namespace, tmp_path)
    await publish(namespace, topic, [b"no"], "other")
    await publish(namespace, topic, [b"one"], "wanted")
    await publish(namespace, topic, [b"no"] * 5, "other")
    await brain.start()
    try:
        await until_acknowledged(namespace, 1)
        await asyncio.sleep(2.5)  # two commits of Faust
        held = await acknowledged(namespace)
        processor.free.set()
        await until_acknowledged(namespace, 7)
    finally:
        await brain.stop()

    assert held == 1


async def test_a_record_is_foreseen_while_those_before_it_are_at_work(namespace: Namespace, tmp_path: Path) -> None:
    """What can be begun early is begun when a record comes, not when its turn comes."""
    topic = await topic_for(namespace)
    processor = Noting(topic)
    processor.free.clear()
    brain = brain_of(processor, namespace, tmp_path)
    await brain.start()
    try:
        await publish(namespace, topic, [b"one"])
        await until(lambda: processor.foreseen == [b"one"])
        await publish(namespace, topic, [b"two"])
        await until(lambda: processor.foreseen == [b"one", b"two"])
        early = list(processor.seen)
        processor.free.set()
        await until_seen(processor, [b"one", b"two"])
    finally:
        await brain.stop()

    assert early == []


async def test_what_gathered_comes_at_once(namespace: Namespace, tmp_path: Path) -> None:
    """Between two deliveries nothing is read ahead: what came in the meantime is one batch, not its first record alone."""
    topic = await topic_for(namespace)
    processor = Noting(topic, gather_s=6.0)
    brain = brain_of(processor, namespace, tmp_path)
    await brain.start()
    try:
        async with publishing(namespace, topic) as said:
            await said(b"one")
            await until_seen(processor, [b"one"])
            await said(b"two")
            await asyncio.sleep(0.5)  # long enough for a fetch to bring it, if one were under way
            await said(b"three", b"four")
            await until_seen(processor, [b"one", b"two", b"three", b"four"])
    finally:
        await brain.stop()

    assert processor.batches == [1, 3]


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
            await asyncio.wait_for(brain.wait_failed(), PATIENCE_S)
    finally:
        await brain.stop()


async def test_what_nobody_waits_for_comes_with_the_next(
    namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lets others join it for a moment, and comes by itself if there are none."""
    monkeypatch.setattr("streams.app.LULL_S", 4.0)
    topic = await topic_for(namespace)
    processor = Noting(topic)
    brain = brain_of(processor, namespace, tmp_path)
    await brain.start()
    try:
        async with publishing(namespace, topic) as said:
            await said(NOBODY)
            await until(lambda: processor.foreseen == [NOBODY])
            await said(b"one")
            await until_seen(processor, [NOBODY, b"one"])
            await said(NOBODY)
            await until_seen(processor, [NOBODY, b"one", NOBODY])
    finally:
        await brain.stop()

    assert processor.batches == [2, 1]


class Overlapping(Noting):
    """A processor that has two batches at work; each record is one of its own, done when it is let go."""

    batch = 1
    overlap = 2

    def __init__(self, topic: str) -> None:
        super().__init__(topic)
        self.let_go: dict[bytes | None, asyncio.Event] = {}
        self.passed_on: list[bytes | None] = []

    async def process(self, batch: Sequence[Incoming]) -> None:
        """Wait to be let go."""
        (record,) = batch
        event = self.let_go.setdefault(record.value, asyncio.Event())
        self.seen.append(record.value)
        await event.wait()

    async def passed(self, batch: Sequence[Incoming]) -> None:
        """Note the order."""
        self.passed_on += [record.value for record in batch]


async def test_batches_overlap_and_are_passed_in_order(namespace: Namespace, tmp_path: Path) -> None:
    """As many as may be are at work; one that is done before those ahead of it is acknowledged after them."""
    topic = await topic_for(namespace)
    processor = Overlapping(topic)
    brain = brain_of(processor, namespace, tmp_path)
    await publish(namespace, topic, [b"one", b"two", b"three"])
    await brain.start()
    try:
        await until_seen(processor, [b"one", b"two"])
        processor.let_go[b"two"].set()
        await asyncio.sleep(2.5)  # two commits of Faust
        held = (list(processor.passed_on), list(processor.seen), await acknowledged(namespace))
        processor.let_go[b"one"].set()
        await until_seen(processor, [b"one", b"two", b"three"])
        processor.let_go[b"three"].set()
        await until_acknowledged(namespace, 3)
    finally:
        await brain.stop()

    assert held == ([], [b"one", b"two"], 0)
    assert processor.passed_on == [b"one", b"two", b"three"]
