"""Intake on a real Kafka and a real Postgres: a task comes with its choice, and nothing overtakes what failed."""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from bus.errors import KafkaUnreachable
from bus.producer import Published, Publisher
from events.answer import RequestRefused
from events.event import Event, Fact
from events.request import GiveFeedback, GivenFile, RegisterAgent, Request, SubmitTask
from events.task import AgentChosen, TaskAdmitted, TaskEnded, TaskSubmitted
from events.topics import ANSWERS, TASKS, Names, Topic
from events.wire import Incoming, Outgoing, decode
from smolit.client import Client, Origin
from smolit.process.parts import intake
from smolit.process.place import Place
from smolit.process.ports import Ports, utc_now
from smolit.process.prepare import make_topics
from smolit.stack.local import Endpoints
from store import blob, migrate
from store.postgres import connect
from streams.errors import BatchBefore
from streams.intake import Intake
from tests.builders import spec
from tests.integration import bus_kit as kit
from tests.said import PATIENCE_S
from tests.stacks import Namespace

SUMS = spec("sums", skills=("sums",))
TEXT = hashlib.sha256(b"hello").hexdigest()


class Refusing(Publisher):
    """A publisher that the broker refuses as long as it is told so."""

    refused = False

    async def publish(self, records: Sequence[Outgoing]) -> list[Published]:
        """Publish, or wait a moment in vain."""
        if self.refused and records:
            await asyncio.sleep(0.2)
            raise KafkaUnreachable("planted")
        return await super().publish(records)


class Desk:
    """An intake without Faust: requests are handed to it as records of one partition."""

    def __init__(self, namespace: Namespace, processor: Intake, publisher: Refusing) -> None:
        self.names, self.intake, self.publisher = Names(namespace.topic_prefix), processor, publisher
        self._kafka = namespace.kafka
        self._client = Client(namespace.kafka, Origin(self.names, "default", "tests"), utc_now, lambda count: bytes(count))
        self._offsets = itertools.count()

    def batch(self, *requests: tuple[str, Request]) -> list[Incoming]:
        """Return records of requests, as the next ones in the log."""
        outgoing = [self._client.record(request, request_id) for request_id, request in requests]
        return [Incoming(one.topic, 0, next(self._offsets), one.key, one.headers, one.value) for one in outgoing]

    async def facts(self, count: int, topic: Topic = TASKS) -> list[Event[Fact]]:
        """Return the first facts about tasks, or records of another topic, in order within each partition."""
        places = {(self.names.of(topic), partition): 0 for partition in range(topic.partitions)}
        async with kit.reader(self._kafka, places) as reader:
            records: list[Incoming] = []
            async with asyncio.timeout(PATIENCE_S):
                while len(records) < count:
                    records += await reader.fetch()
        return [decode(record.headers, record.value) for record in records]


@asynccontextmanager
async def desk(namespace: Namespace) -> AsyncIterator[Desk]:
    """Lend a started intake with topics and tables of its own."""
    endpoints = Endpoints(namespace.kafka, namespace.postgres, False)
    await make_topics(namespace.settings, endpoints, lambda _: None)
    migrate.upgrade(namespace.postgres)
    lent: list[Refusing] = []

    def publisher(kafka: str, client_id: str) -> Publisher:
        lent.append(Refusing(kafka, client_id))
        return lent[-1]

    processor = intake.processor(Place(namespace.settings, endpoints, "1", Ports(publisher=publisher)))
    await processor.start()
    try:
        yield Desk(namespace, processor, lent[0])
    finally:
        await processor.stop()


async def test_a_task_comes_with_its_choice(namespace: Namespace) -> None:
    """Submitted, admitted and chosen stand side by side; the choice follows from the admission, that from the request."""
    async with desk(namespace) as lent:
        await lent.intake.process(lent.batch(("join", RegisterAgent(spec=SUMS)), ("one", SubmitTask(text="1 + 1", kind="sums"))))
        submitted, admitted, chosen = await lent.facts(3)

    assert [type(one.fact) for one in (submitted, admitted, chosen)] == [TaskSubmitted, TaskAdmitted, AgentChosen]
    assert isinstance(chosen.fact, AgentChosen)
    assert (chosen.fact.agent, chosen.fact.propensity) == ("sums", 1.0)
    assert [one.envelope.causation_id for one in (submitted, admitted, chosen)] == ["one", "one", admitted.id]


async def test_a_task_that_nobody_can_do_ends_where_it_was_admitted(namespace: Namespace) -> None:
    """It is told so at once, with how near everybody came."""
    async with desk(namespace) as lent:
        await lent.intake.process(lent.batch(("one", SubmitTask(text="1 + 1", kind="sums"))))
        *_, ended = await lent.facts(3)

    assert isinstance(ended.fact, TaskEnded)
    assert (ended.fact.outcome, ended.fact.reason) == ("failed", "no_fitting_agent")


async def test_a_batch_that_failed_holds_back_those_behind_it(namespace: Namespace) -> None:
    """Without the agent that was to be registered before, the task would have failed for good."""
    async with desk(namespace) as lent:
        joins = lent.batch(("join", RegisterAgent(spec=SUMS)))
        asks = lent.batch(("one", SubmitTask(text="1 + 1", kind="sums")))
        lent.publisher.refused = True
        first, second = await asyncio.gather(lent.intake.process(joins), lent.intake.process(asks), return_exceptions=True)
    async with desk(namespace) as again:
        await again.intake.process(joins)
        await again.intake.process(asks)
        facts = await again.facts(3)

    assert (type(first), type(second)) == (KafkaUnreachable, BatchBefore)
    assert [type(one.fact) for one in facts] == [TaskSubmitted, TaskAdmitted, AgentChosen]


@pytest.mark.parametrize(("request_id", "awaited"), [("task", True), ("said", False)])
async def test_nobody_waits_for_feedback(namespace: Namespace, request_id: str, awaited: bool) -> None:
    """It may come with the next request; a submission may not wait."""
    said = GiveFeedback(task_id="00000000-0000-5000-8000-000000000000", rater="ann", kind="score", value=1.0)
    asked: dict[str, Request] = {"task": SubmitTask(text="1 + 1", kind="sums"), "said": said}
    async with desk(namespace) as lent:
        (record,) = lent.batch((request_id, asked[request_id]))

        assert lent.intake.foresee(record) is awaited


async def test_files_are_kept_once_and_named_by_what_facts_say(namespace: Namespace) -> None:
    """What came with one task may be named by the next of the tenant, and by nobody else's; garbage is refused by its field."""
    text, large = GivenFile("a.txt", "text/plain", content=b"hello"), b"%PDF-" + b"x" * 2_000_000
    async with desk(namespace) as lent:
        connection = await connect(namespace.postgres, "tests")
        digest = await blob.bring(connection, "default", large)
        foreign = await blob.bring(connection, "acme", b"theirs")
        kept = GivenFile("b.pdf", "application/pdf", sha256=digest)
        asks = (
            ("one", SubmitTask(text="x", kind="sums", files=(text, kept))),
            ("two", SubmitTask(text="x", kind="sums", files=(GivenFile("c.txt", "text/plain", sha256=TEXT),))),
            ("bad", SubmitTask(text="x", kind="sums", files=(GivenFile("a.png", "image/png", content=b"hello"),))),
            ("theirs", SubmitTask(text="x", kind="sums", files=(GivenFile("d.txt", "text/plain", sha256=foreign),))),
        )
        await lent.intake.process(lent.batch(("join", RegisterAgent(spec=SUMS))))
        for ask in asks:
            await lent.intake.process(lent.batch(ask))
        facts = [one.fact for one in await lent.facts(6)]
        refusals = [one.fact for one in await lent.facts(2, ANSWERS)]
        stored = await blob.get(connection, TEXT)
        counted = await (await connection.execute("select count(*) from ops.blob where sha256 = %s", (TEXT,))).fetchone()
        await connection.close()

    submitted = {fact.request_id: fact.files for fact in facts if isinstance(fact, TaskSubmitted)}
    assert [(one.name, one.sha256, one.size) for one in submitted["one"]] == [
        ("a.txt", TEXT, 5),
        ("b.pdf", digest, len(large)),
    ]
    assert [one.sha256 for one in submitted["two"]] == [TEXT]
    assert (stored, counted) == (b"hello", (1,))
    said = {fact.request_id: (fact.reason, fact.detail) for fact in refusals if isinstance(fact, RequestRefused)}
    assert said["bad"] == (
        "file_not_what_it_says",
        "files[0].media_type: 'a.png' is no image/png: it begins like no kind that is known",
    )
    assert said["theirs"][0] == "file_missing"
