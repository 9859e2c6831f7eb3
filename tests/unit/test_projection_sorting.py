"""What becomes of each record: a fact, or a dead letter with its reason."""

import base64

import msgspec
import pytest

from events.event import Event, Fact
from events.wire import Incoming
from projections.projection import Logged
from projections.sorting import Parked, chunks, sort_record
from tests.builders import (
    NAMES,
    Log,
    attempt_ended,
    chosen,
    dead_letter,
    example,
    given,
    registered,
    submitted,
    superseded,
)


def record(event: Event[Fact], topic: str | None = None) -> Incoming:
    """Return an event's record, on its own topic or on another one."""
    sent = Log().add(event).records[0]
    return Incoming(topic or sent.topic, 0, 0, sent.key, sent.headers, sent.value)


def test_a_good_record_is_a_fact_with_its_place() -> None:
    """What can be read goes on with its topic, partition and offset."""
    event = submitted()

    found = sort_record(record(event), NAMES)

    assert found == Logged(event, "test.tasks.v1", 0, 0)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (given(1.5), "out_of_range"),
        (given(-0.5), "out_of_range"),
        (attempt_ended(duration_us=-1), "out_of_range"),
        (attempt_ended(cost_microusd=-1), "out_of_range"),
        (attempt_ended(epoch=2**63), "out_of_range"),
        (chosen(propensity=0.0), "out_of_range"),
        (example(1.5), "out_of_range"),
        (superseded(old_reward=-1.0), "out_of_range"),
        (submitted(text="a\x00b"), "cannot_be_stored"),
        (submitted(input={"deep": {"a\x00": 1}}), "cannot_be_stored"),
    ],
    ids=lambda one: one if isinstance(one, str) else one.fact.event_type.name,
)
def test_an_impossible_fact_is_parked_with_its_reason(event: Event[Fact], reason: str) -> None:
    """A figure out of range or a text that Postgres cannot hold never reaches a read model."""
    found = sort_record(record(event), NAMES)

    assert isinstance(found, Parked)
    assert found.reason == reason


def test_nul_in_a_structured_event_is_found_too() -> None:
    """A structured event can hide its bytes in base64; what they say is looked at all the same."""
    known = record(submitted(text="a\x00b"))
    whole = {name.removeprefix("ce_"): item.decode() for name, item in known.headers if name.startswith("ce_")}
    value = msgspec.json.encode({**whole, "data_base64": base64.b64encode(known.value or b"").decode()})
    headers = (("content-type", b"application/cloudevents+json"),)

    found = sort_record(Incoming(known.topic, 0, 0, known.key, headers, value), NAMES)

    assert isinstance(found, Parked)
    assert found.reason == "cannot_be_stored"


def test_text_that_only_looks_like_nul_is_fine() -> None:
    """A backslash followed by u0000 is six harmless characters."""
    assert isinstance(sort_record(record(submitted(text="\\u0000")), NAMES), Logged)


@pytest.mark.parametrize("event", [registered(), dead_letter()], ids=["another entity's fact", "a dead letter"])
def test_a_fact_on_the_wrong_topic_is_parked(event: Event[Fact]) -> None:
    """A topic holds its own facts; what strays there has no order with the rest of its key."""
    found = sort_record(record(event, "test.tasks.v1"), NAMES)

    assert isinstance(found, Parked)
    assert found.reason == "wrong_topic"


def test_a_dead_letter_is_at_home_beside_any_topic() -> None:
    """Dead letters of every topic are read."""
    assert isinstance(sort_record(record(dead_letter(origin_topic="test.requests.v1")), NAMES), Logged)


def test_a_future_version_is_parked_and_not_skipped() -> None:
    """What a newer release wrote waits as a dead letter."""
    known = record(submitted(at=1))
    headers = tuple((name, b"smolit.task.submitted.v2" if name == "ce_type" else item) for name, item in known.headers)

    found = sort_record(Incoming(known.topic, 0, 7, known.key, headers, known.value), NAMES)

    assert isinstance(found, Parked)
    assert (found.reason, found.record.offset) == ("unknown_version", 7)


def test_chunks_keep_order_and_size() -> None:
    """Records are cut by bytes; one that is too long alone still goes."""
    log = Log()
    for size in (3, 3, 9, 1):
        log.raw("t", None, (), b"x" * size)

    found = [[len(item.value or b"") for item in chunk] for chunk in chunks(log.records, most_bytes=6)]

    assert found == [[3, 3], [9], [1]]
