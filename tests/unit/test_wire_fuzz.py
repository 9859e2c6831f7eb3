"""Whatever bytes arrive, decode gives an event or one of its own errors, quickly, and with a message fit to print."""

import json
from typing import Any

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from events.catalog import FACTS, NOTICES, REQUESTS
from events.errors import EventError
from events.event import Event, Message
from events.request import SubmitTask
from events.text import unstorable
from events.wire import decode, encode, event_type
from tests.golden.sample import sample

CLASSES: tuple[type[Message], ...] = (*REQUESTS, *FACTS, *NOTICES)
EXAMPLES = 300

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)
names = st.sampled_from(
    [f"ce_{name}" for name in ("id", "type", "source", "specversion", "time", "subject", "correlationid", "traceparent")]
    + ["content-type", "Content-Type", "CE_ID", "traceparent"]
) | st.text(max_size=12)
types = st.sampled_from([cls.event_type.wire_name for cls in CLASSES]).map(str.encode)
contents = (
    st.binary(max_size=40)
    | st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace"))
    | types
    | st.sampled_from([b"1.0", b"application/cloudevents+json", b"2026-01-01T00:00:00Z", b"0001-01-01T00:00:00+14:00"])
    | st.datetimes().map(lambda moment: moment.isoformat().encode())
)
values = st.none() | st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode())


def outcome(headers: list[tuple[str, bytes]], value: bytes | None) -> Event[Message] | str:
    """Return the event, or the message of its refusal; anything else is what we look for."""
    try:
        return decode(headers, value)
    except EventError as error:
        refusal = error
    assert str(refusal).isprintable()
    assert len(str(refusal)) < 700
    return refusal.code


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.tuples(names, contents), max_size=10), values)
@example([("ce_type", b"smolit.task.submit.v1\n")], b"{}")
def test_any_headers_and_bytes_give_an_event_or_an_event_error(headers: list[tuple[str, bytes]], value: bytes | None) -> None:
    """The envelope may be anything."""
    assert outcome(headers, value)
    event_type(headers)


@settings(max_examples=EXAMPLES, deadline=None)
@given(types, st.dictionaries(st.text(max_size=10), json_values, max_size=5) | json_values)
def test_any_json_under_a_good_envelope_gives_an_event_or_an_event_error(kind: bytes, payload: Any) -> None:
    """The payload may be anything."""
    identity = b"0b8e2f64-5a1d-5c39-8e70-6d2f9b3c4a15"
    headers = [("ce_specversion", b"1.0"), ("ce_id", identity), ("ce_source", b"s"), ("ce_type", kind)]

    assert outcome(headers, json.dumps(payload).encode())


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.dictionaries(st.text(max_size=16) | names.map(lambda name: name.removeprefix("ce_")), json_values, max_size=10))
def test_any_structured_event_gives_an_event_or_an_event_error(whole: dict[str, Any]) -> None:
    """Structured mode may hold anything."""
    assert outcome([("content-type", b"application/cloudevents+json")], json.dumps(whole).encode())


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.sampled_from(CLASSES), st.data())
def test_a_record_with_one_flaw_gives_an_event_or_an_event_error(cls: type[Message], data: st.DataObject) -> None:
    """A good record in which one field was replaced by anything is the likeliest broken one."""
    record = encode("t", sample(cls))
    fields = json.loads(record.value)
    fields[data.draw(st.sampled_from(sorted(fields)))] = data.draw(json_values)

    assert outcome(list(record.headers), json.dumps(fields).encode())


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.sampled_from(CLASSES), st.integers(0, 10_000), st.integers(0, 255))
def test_a_record_with_one_wrong_byte_gives_an_event_or_an_event_error(cls: type[Message], at: int, byte: int) -> None:
    """Bit rot and careless templates change single bytes."""
    record = encode("t", sample(cls))
    value = bytearray(record.value)
    value[at % len(value)] = byte

    assert outcome(list(record.headers), bytes(value))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.text(min_size=1), st.dictionaries(st.text(max_size=8), json_values, max_size=4))
def test_what_can_be_stored_goes_through_the_wire_unchanged(text: str, inputs: dict[str, Any]) -> None:
    """A request without a flaw is the same on the other side."""
    request = SubmitTask(text=text, input=inputs)
    event = sample(SubmitTask)
    assume(unstorable(request) is None)

    record = encode("t", Event(event.envelope, request))

    assert decode(record.headers, record.value).fact == request
