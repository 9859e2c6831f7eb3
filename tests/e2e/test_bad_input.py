"""Bad input on the request topic: each gets a refusal with its reason, never a fact; nothing crashes, the rest flows on."""

import asyncio
import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from bus.producer import Publisher
from bus.reader import PartitionReader
from events.answer import AnswerGiven, RequestRefused
from events.event import Event, Message
from events.request import SubmitTask
from events.topics import ANSWERS, TASKS, Names
from events.wire import Outgoing, decode, encode
from smolit.client import Ask, Client, Origin, from_here
from store.postgres import connect
from tests.builders import ended
from tests.e2e.conftest import System
from tests.integration.bus_kit import NotUtf8, produce_raw
from tests.said import PATIENCE_S

TASK = "0b0f1a2e-0000-5000-8000-00000000abcd"


@dataclass(frozen=True)
class Bad:
    """One bad record: its CloudEvents type, its value, and the reason it must be refused with."""

    reason: str
    value: bytes
    kind: str = "smolit.task.submit.v1"
    headers: dict[str, bytes | None] = field(default_factory=dict)


def task(**fields: Any) -> bytes:
    """Return a submission with some fields changed."""
    return json.dumps({"text": "fine", "kind": "arithmetic", **fields}).encode()


def feedback(**fields: Any) -> bytes:
    """Return feedback with some fields changed."""
    return json.dumps({"task_id": TASK, "rater": "ann", "value": 1.0, **fields}).encode()


FACT = encode("anywhere", ended())
GIVE, REVISE = "smolit.feedback.give.v1", "smolit.feedback.revise.v1"
BAD: dict[str, Bad] = {
    "no JSON": Bad("malformed_payload", b"{nonsense"),
    "not UTF-8": Bad("malformed_payload", b'{"text": "\xff\xfe"}'),
    "empty": Bad("malformed_payload", b""),
    "a list": Bad("malformed_payload", b"[1, 2]"),
    "wrong type": Bad("malformed_payload", task(text=7)),
    "empty text": Bad("malformed_payload", task(text="")),
    "missing field": Bad("malformed_payload", b'{"kind": "arithmetic"}'),
    "unknown field": Bad("malformed_payload", task(colour="red")),
    "negative priority": Bad("malformed_payload", task(priority=-1)),
    "huge number": Bad("malformed_payload", task(max_attempts=10**30)),
    "not a number": Bad("malformed_payload", b'{"text": "a", "priority": NaN}'),
    "deep nesting": Bad("malformed_payload", b'{"text": "a", "input": {"a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}}"),
    "NUL in the text": Bad("unstorable_text", task(text="a\x00b")),
    "NUL in the input": Bad("unstorable_text", task(input={"a": ["b\x00"]})),
    "deadline passed": Bad("deadline_passed", task(deadline="2001-01-01T00:00:00Z")),
    "too large": Bad("too_large", task(text="x" * 950_000)),
    "reply to a stranger": Bad("reply_to_not_allowed", task(reply_to="elsewhere")),
    "unknown type": Bad("unknown_type", task(), "smolit.task.explode.v1"),
    "foreign type": Bad("unknown_type", task(), "com.example.thing"),
    "future version": Bad("unknown_version", task(), "smolit.task.submit.v99"),
    "a fact from outside": Bad("not_a_request", FACT.value, "smolit.task.ended.v1", dict(FACT.headers)),
    "no type": Bad("not_an_event", task(), headers={"ce_type": None}),
    "no id": Bad("not_an_event", task(), headers={"ce_id": None}),
    "no source": Bad("not_an_event", task(), headers={"ce_source": None}),
    "score out of range": Bad("malformed_payload", feedback(value=1.5), GIVE),
    "score below zero": Bad("malformed_payload", feedback(value=-0.1), GIVE),
    "half a yes": Bad("feedback_unusable", feedback(kind="boolean", value=0.5), GIVE),
    "no value": Bad("feedback_unusable", feedback(value=None), GIVE),
    "revision zero": Bad("malformed_payload", feedback(revision=0), REVISE),
    "not a task id": Bad("malformed_payload", feedback(task_id="nonsense"), GIVE),
}


def record(names: Names, bad: Bad, request_id: str) -> Outgoing:
    """Return a bad record as any producer could send it."""
    headers: dict[str, bytes | None] = {
        "ce_specversion": b"1.0",
        "ce_id": request_id.encode(),
        "ce_source": b"bad-producer",
        "ce_type": bad.kind.encode(),
        **bad.headers,
    }
    kept = tuple((name, content) for name, content in headers.items() if content is not None)
    return Outgoing(names.requests_of("default"), request_id.encode(), kept, bad.value)


async def refusals(reader: PartitionReader, origins: set[str]) -> dict[str, RequestRefused]:
    """Wait for the refusal of each of these records."""
    found: dict[str, RequestRefused] = {}
    async with asyncio.timeout(PATIENCE_S):
        while origins - found.keys():
            for one in await reader.fetch():
                fact = decode(one.headers, one.value).fact
                if isinstance(fact, RequestRefused) and fact.origin in origins:
                    found[fact.origin] = fact
    return found


async def answered(reader: PartitionReader, request_id: str) -> AnswerGiven:
    """Wait for the answer to a request."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for one in await reader.fetch():
                fact = decode(one.headers, one.value).fact
                if isinstance(fact, AnswerGiven) and fact.request_id == request_id:
                    return fact


async def of_this_run(reader: PartitionReader, run: str) -> list[Event[Message]]:
    """Return the facts that follow from a run's requests, once there are some: those of others may still come beside them."""
    found: list[Event[Message]] = []
    async with asyncio.timeout(PATIENCE_S):
        while not found:
            facts = [decode(one.headers, one.value) for one in await reader.fetch(10_000, 1_000)]
            found = [one for one in facts if str(one.envelope.causation_id).startswith(run)]
    return found


async def test_every_bad_request_is_refused_with_its_reason(system: System) -> None:
    """Each bad record gets its own refusal, becomes no fact, and is kept as a dead letter; a good one beside it flows."""
    run = secrets.token_hex(4)
    publisher = Publisher(system.endpoints.kafka, "bad-producer")
    await publisher.start()
    try:
        async with (
            from_here(system.endpoints.kafka, system.names, [ANSWERS]) as answers,
            from_here(system.endpoints.kafka, system.names, [TASKS]) as tasks,
        ):
            sent = await publisher.publish([record(system.names, bad, f"{run}-{name}") for name, bad in BAD.items()])
            origins = {f"{at.topic}/{at.partition}/{at.offset}": name for at, name in zip(sent, BAD, strict=True)}
            refused = await refusals(answers, set(origins))
            origin = Origin(system.names, "default", "good-producer")
            async with Client(system.endpoints.kafka, origin, lambda: datetime.now(UTC), secrets.token_bytes) as client:
                await client.send([Ask(SubmitTask(text="What is 6 * 7?", kind="arithmetic"), f"{run}-good")])
                answer = await answered(answers, f"{run}-good")
            facts = await of_this_run(tasks, run)
    finally:
        await publisher.stop()

    assert {origins[where]: fact.reason for where, fact in refused.items()} == {name: bad.reason for name, bad in BAD.items()}
    assert all(fact.detail for fact in refused.values())
    assert answer.outcome == "completed"
    assert {one.envelope.correlation_id for one in facts} == {answer.task_id}


async def test_a_request_with_a_header_name_that_is_no_text_is_answered(system: System) -> None:
    """Such a name says nothing to us: the request is judged by the rest, and those around it are not held up."""
    run = secrets.token_hex(4)
    requests = [record(system.names, Bad("", task(text="What is 6 * 7?")), f"{run}-{number}") for number in range(3)]
    raw = [
        (one.value, [*one.headers, (NotUtf8(), b"y")] if number == 1 else [*one.headers]) for number, one in enumerate(requests)
    ]
    async with from_here(system.endpoints.kafka, system.names, [ANSWERS]) as answers:
        await produce_raw(system.endpoints.kafka, requests[0].topic, raw)
        outcomes: dict[str | None, str] = {}
        async with asyncio.timeout(PATIENCE_S):
            while len(outcomes) < len(requests):
                facts = [decode(one.headers, one.value).fact for one in await answers.fetch()]
                outcomes |= {fact.request_id: fact.outcome for fact in facts if isinstance(fact, AnswerGiven)}

    assert outcomes == {f"{run}-{number}": "completed" for number in range(3)}


async def test_a_reused_request_id_with_another_payload_is_refused(system: System) -> None:
    """The first payload counts; the same again is a repeat, another one is refused and changes nothing."""
    request_id = f"reused-{secrets.token_hex(4)}"
    publisher = Publisher(system.endpoints.kafka, "bad-producer")
    await publisher.start()
    try:
        async with from_here(system.endpoints.kafka, system.names, [ANSWERS]) as answers:
            good, other = Bad("", task(text="What is 1 + 1?")), Bad("", task(text="What is 2 + 2?"))
            await publisher.publish([record(system.names, good, request_id)])
            first = await answered(answers, request_id)
            sent = await publisher.publish([record(system.names, one, request_id) for one in (good, other)])
            where = f"{sent[1].topic}/{sent[1].partition}/{sent[1].offset}"
            refused = await refusals(answers, {where})
    finally:
        await publisher.stop()

    assert first.outcome == "completed"
    assert refused[where].reason == "request_id_reused"


async def test_the_dead_letters_can_be_read_with_sql(system: System) -> None:
    """What was refused is kept whole, with its reason, where `smolit dlq list` and SQL find it."""
    request_id = f"sick-{secrets.token_hex(4)}"
    publisher = Publisher(system.endpoints.kafka, "bad-producer")
    await publisher.start()
    try:
        sent = (await publisher.publish([record(system.names, BAD["unknown field"], request_id)]))[0]
    finally:
        await publisher.stop()
    connection = await connect(system.endpoints.postgres, "tests")
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = await connection.execute(
                    "select reason from dead_letters where origin_topic = %s and origin_partition = %s and origin_offset = %s",
                    (sent.topic, sent.partition, sent.offset),
                )
                if row := await found.fetchone():
                    break
                await asyncio.sleep(0.1)
    finally:
        await connection.close()

    assert row[0] == "malformed_payload"


@pytest.mark.parametrize("size", [100_000, 10_000_000])
async def test_a_long_text_is_kept_or_refused_at_the_door(system: System, size: int) -> None:
    """Above 64 kB a text is kept once by its hash; what no record can hold is refused before it is sent."""
    request_id = f"long-{secrets.token_hex(4)}"
    origin = Origin(system.names, "default", "long-producer")
    request = SubmitTask(text="What is 3 + 4? " + " " * size, kind="arithmetic")
    async with (
        from_here(system.endpoints.kafka, system.names, [ANSWERS]) as answers,
        Client(system.endpoints.kafka, origin, lambda: datetime.now(UTC), secrets.token_bytes) as client,
    ):
        if size > 1_000_000:
            with pytest.raises(Exception, match=r"large|bytes|size"):
                await client.send([Ask(request, request_id)])
            return
        await client.send([Ask(request, request_id)])
        answer = await answered(answers, request_id)

    assert answer.outcome in ("completed", "failed")
