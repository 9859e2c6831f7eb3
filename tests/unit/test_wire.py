"""The wire format against the official CloudEvents SDK, and what decode makes of every kind of broken record."""

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cloudevents.core.bindings import kafka as sdk
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from msgspec.structs import replace

from events.catalog import CATALOG, FACTS, NOTICES, REQUESTS
from events.errors import EventError, MalformedPayload, NotAnEvent, UnknownEventType, UnknownEventVersion
from events.event import Event, Message
from events.request import SubmitTask
from events.task import CancelRequested
from events.wire import Incoming, decode, encode, envelope_of, event_type
from tests.golden.sample import NOW, TASK_ID, sample

CLASSES: tuple[type[Message], ...] = (*REQUESTS, *FACTS, *NOTICES)
Headers = list[tuple[str, bytes]]


def headers(**attributes: str | bytes | None) -> Headers:
    """Return the headers of a task submission in binary mode; None leaves one out."""
    usual = {"specversion": "1.0", "id": "r-1", "type": "smolit.task.submit.v1", "source": "me", "time": "2026-01-01T00:00:00Z"}
    merged = usual | attributes
    return [
        (f"ce_{name}", content if isinstance(content, bytes) else content.encode())
        for name, content in merged.items()
        if content is not None
    ]


def body(**fields: Any) -> bytes:
    """Return the value of a task submission."""
    return json.dumps({"text": "What is 2 + 2?"} | fields).encode()


def structured(**attributes: Any) -> tuple[Headers, bytes]:
    """Return a task submission in structured mode; None stands for JSON null."""
    usual = {
        "specversion": "1.0",
        "id": "r-1",
        "type": "smolit.task.submit.v1",
        "source": "me",
        "datacontenttype": "application/json",
        "data": {"text": "What is 2 + 2?"},
    }
    return [("content-type", b"application/cloudevents+json")], json.dumps(usual | attributes).encode()


def refused(error: type[EventError], record: tuple[Headers, bytes | None]) -> str:
    """Return the message with which a record is refused."""
    with pytest.raises(error) as refusal:
        decode(*record)

    assert type(refusal.value) is error
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 700
    return str(refusal.value)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.event_type.name)
def test_the_official_sdk_reads_what_we_write(cls: type[Message]) -> None:
    """Attributes and data arrive in the official SDK as we meant them."""
    event = sample(cls)
    record = encode("a topic", event)

    read = sdk.from_binary(sdk.KafkaMessage(dict(record.headers), None, record.value), JSONFormat())

    assert (read.get_id(), read.get_source(), read.get_subject()) == (event.id, "smolit/golden", event.fact.key)
    assert (read.get_type(), read.get_time()) == (cls.event_type.wire_name, NOW)
    assert (read.get_datacontenttype(), read.get_dataschema()) == ("application/json", cls.event_type.schema_id)
    assert read.get_extension("correlationid") == TASK_ID
    assert read.get_extension("causationid") == "a request"
    assert read.get_data() == json.loads(record.value)


@pytest.mark.parametrize("mode", [sdk.to_binary, sdk.to_structured], ids=["binary", "structured"])
@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.event_type.name)
def test_we_read_what_the_official_sdk_writes(cls: type[Message], mode: Any) -> None:
    """Any event of ours may come from the official SDK, in either content mode."""
    event = sample(cls)
    attributes = {
        "id": event.id,
        "source": "me",
        "type": cls.event_type.wire_name,
        "specversion": "1.0",
        "time": NOW,
        "subject": "a subject",
        "datacontenttype": "application/json",
        "correlationid": "a story",
        "causationid": "a cause",
    }
    data = json.loads(encode("a topic", event).value)

    message = mode(CloudEvent(attributes, data), JSONFormat())
    read = decode(list(message.headers.items()), message.value)

    assert read.fact == event.fact
    envelope = read.envelope
    assert (envelope.id, envelope.source, envelope.subject, envelope.time) == (event.id, "me", "a subject", NOW)
    assert (envelope.correlation_id, envelope.causation_id) == ("a story", "a cause")


def test_data_that_the_sdk_wrote_as_bytes_is_read() -> None:
    """Structured mode carries bytes in base64."""
    attributes = {"id": "r-1", "source": "me", "type": "smolit.task.submit.v1", "specversion": "1.0"}

    message = sdk.to_structured(CloudEvent(attributes, body()), JSONFormat())

    assert b"data_base64" in message.value
    assert decode(list(message.headers.items()), message.value).fact == SubmitTask(text="What is 2 + 2?")


def test_what_is_left_out_is_filled_in() -> None:
    """Subject, time, correlation and causation are optional: the event tells its own story, at the epoch, never now."""
    event = decode(headers(time=None), body())

    assert event.envelope.subject == ""
    assert event.envelope.time == datetime(1970, 1, 1, tzinfo=UTC)
    assert event.envelope.correlation_id == event.envelope.causation_id == "r-1"


def test_header_names_have_no_case() -> None:
    """Some clients write `CE_Id` and `Content-Type`."""
    loud = [(name.upper(), content) for name, content in headers()]

    assert decode(loud, body()).id == "r-1"
    assert event_type(loud) == "smolit.task.submit.v1"


@pytest.mark.parametrize("content_type", [b"Application/CloudEvents+JSON", b"application/cloudevents+json; charset=utf-8"])
def test_a_content_type_may_have_parameters_and_any_case(content_type: bytes) -> None:
    """Structured mode is recognised as HTTP and Kafka clients spell it."""
    _, value = structured()

    assert decode([("Content-Type", content_type)], value).id == "r-1"


def test_a_content_type_that_says_something_else_is_not_looked_at() -> None:
    """In binary mode the value speaks for itself; some clients say `text/plain`."""
    assert decode([*headers(), ("content-type", b"text/plain")], body()).fact == SubmitTask(text="What is 2 + 2?")


def test_what_we_do_not_know_is_not_looked_at() -> None:
    """Foreign extensions and headers are tolerated, be they no text at all; so are header values of None."""
    odd: Any = [("ce_region", b"\xff\x00"), ("x-trace-bin", b"\x80" * 5_000), ("ce_subject", None), ("", b"")]
    _, value = structured(region={"any": 1}, database=5, data_x=None)

    assert decode([*headers(), *odd], body()).id == "r-1"
    assert decode([("content-type", b"application/cloudevents+json")], value).id == "r-1"


@pytest.mark.parametrize("name", ["traceparent", "ce_traceparent"])
def test_a_trace_goes_on(name: str) -> None:
    """The W3C header and the CloudEvents extension both carry it."""
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    assert decode([*headers(), (name, trace.encode())], body()).envelope.traceparent == trace
    assert decode(*structured(traceparent=trace)).envelope.traceparent == trace


@pytest.mark.parametrize("trace", [b"garbage", b"\xff" * 100_000, b""])
def test_a_broken_trace_refuses_nothing(trace: bytes) -> None:
    """Whoever measures must not decide: an invalid trace parent is dropped."""
    assert decode([*headers(), ("traceparent", trace)], body()).envelope.traceparent is None
    assert decode(*structured(traceparent=[1])).envelope.traceparent is None


@pytest.mark.parametrize("name", ["specversion", "id", "type", "source"])
@pytest.mark.parametrize("content", [None, ""])
def test_a_missing_attribute_is_named(name: str, content: str | None) -> None:
    """CloudEvents requires four attributes and forbids empty ones."""
    assert refused(NotAnEvent, (headers(**{name: content}), body())) == f"the CloudEvents attribute '{name}' is missing"
    refused(NotAnEvent, structured(**{name: content}))


@pytest.mark.parametrize("name", ["specversion", "id", "type", "source", "subject", "time", "correlationid"])
def test_an_attribute_must_be_text_without_control_characters(name: str) -> None:
    """Neither bytes that are no UTF-8 nor NUL, newlines or megabytes get into an envelope."""
    assert f"ce_{name} is not UTF-8" in refused(NotAnEvent, (headers(**{name: b"a\xff"}), body()))
    assert f"'{name}' holds a control character" in refused(NotAnEvent, (headers(**{name: "a\0b"}), body()))
    assert f"'{name}' holds a control character" in refused(NotAnEvent, structured(**{name: "a\nb"}))
    assert f"'{name}' has 3000 characters" in refused(NotAnEvent, (headers(**{name: "x" * 3_000}), body()))


@pytest.mark.parametrize("name", ["specversion", "id", "type", "source", "subject", "time", "causationid"])
@pytest.mark.parametrize("content", [5, 1.5, True, [], {"a": 1}, "\ud800"])
def test_an_attribute_of_another_type_is_named(name: str, content: object) -> None:
    """In structured mode an id of 5 is not quietly made a text, nor null an id called None."""
    assert f"'{name}' is not a JSON string" in refused(NotAnEvent, structured(**{name: content})) or content == "\ud800"


@pytest.mark.parametrize("name", ["subject", "time", "correlationid", "causationid"])
def test_null_stands_for_an_absent_attribute(name: str) -> None:
    """So says the JSON event format."""
    assert decode(*structured(**{name: None})).envelope == decode(*structured()).envelope


def test_an_attribute_that_is_there_twice_must_say_the_same() -> None:
    """Two ids leave no id; the filter and the decoder could otherwise disagree about the type."""
    assert "ce_id is there twice" in refused(NotAnEvent, ([*headers(), ("CE_ID", b"other")], body()))
    assert decode([*headers(), ("CE_ID", b"r-1")], body()).id == "r-1"


@pytest.mark.parametrize("version", ["0.3", "1.1", "2.0", "one"])
def test_another_version_of_cloudevents_is_refused(version: str) -> None:
    """We speak 1.0, and say so."""
    assert refused(NotAnEvent, (headers(specversion=version), body())) == f"CloudEvents version '{version}' is not 1.0"


@pytest.mark.parametrize(
    "time",
    [
        "yesterday",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-13-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-00:01",
        "99999-01-01T00:00:00Z",
        "2026-06-30T23:59:60Z",
        "1767225600",
    ],
)
def test_a_time_that_is_none_is_refused(time: str) -> None:
    """A time names its zone and lies in the years 1 to 9999 of UTC; leap seconds exist only in heaven and NTP."""
    assert f"'{time}' is not RFC 3339 with a zone" in refused(NotAnEvent, (headers(time=time), body()))
    refused(NotAnEvent, structured(time=time))


@pytest.mark.parametrize(
    ("time", "utc"),
    [
        ("2026-01-01T02:00:00+02:00", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01t00:00:00z", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T00:00:00.123456789Z", datetime(2026, 1, 1, microsecond=123457, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_in_utc(time: str, utc: datetime) -> None:
    """Any zone and precision is understood."""
    assert decode(headers(time=time), body()).envelope.time == utc


def test_we_write_utc_whatever_the_zone() -> None:
    """Times on the wire end in Z and have microseconds."""
    event = decode(headers(), body())
    abroad = datetime(2026, 1, 1, 5, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))

    record = encode("t", Event(replace(event.envelope, time=abroad), event.fact))

    assert ("ce_time", b"2026-01-01T00:00:00.000000Z") in record.headers


@pytest.mark.parametrize(
    "name",
    [
        "task.submit.v1",
        "smolit.task.submit",
        "smolit.task.submit.v",
        "smolit.task.submit.v-1",
        "SMOLIT.task.submit.v1",
        "smolit.task.submit.v1 ",
        "x" * 2_000,
    ],
)
def test_a_type_that_is_not_ours_is_refused(name: str) -> None:
    """The message shows the form, and no more than a piece of what was sent."""
    assert "is not a type of ours (smolit.<entity>.<verb>.v<version>)" in refused(UnknownEventType, (headers(type=name), body()))


def test_a_type_that_nobody_claims_is_refused() -> None:
    """The name alone is quoted."""
    said = refused(UnknownEventType, (headers(type="smolit.task.exploded.v1"), body()))

    assert said == "no event is called 'task.exploded'"


@pytest.mark.parametrize("version", [0, 2, 99, 2**63])
@pytest.mark.parametrize("value", [b"", b"not json", b'{"future": true}'])
def test_a_version_that_is_not_ours_is_refused_whatever_it_holds(version: int, value: bytes) -> None:
    """A newer release wrote it: its payload is none of our business."""
    said = refused(UnknownEventVersion, (headers(type=f"smolit.task.submit.v{version}"), value))

    assert said == f"task.submit v{version} is unknown here; we know v1 to v1"


BROKEN = {
    "none": (None, "the value is empty"),
    "empty": (b"", "the value is empty"),
    "no JSON": (b"{text", "the value is not JSON"),
    "cut off": (b'{"text": "a', "the value is not JSON"),
    "trailing": (b'{"text":"a"} x', "the value is not JSON"),
    "byte order mark": (b'\xef\xbb\xbf{"text":"a"}', "the value is not JSON"),
    "NaN": (b'{"text":"a","priority":NaN}', "the value is not JSON"),
    "Infinity": (b'{"text":"a","input":{"x":-Infinity}}', "the value is not JSON"),
    "1e400": (b'{"text":"a","input":{"x":1e400}}', "out of range - at `$.input[...]`"),
    "digits": (b'{"text":"a","input":{"x":' + b"9" * 5_000 + b"}}", "out of range - at `$.input[...]`"),
    "2^63": (b'{"text":"a","priority":9223372036854775808}', "at `$.priority`"),
    "negative": (b'{"text":"a","priority":-1}', "at `$.priority`"),
    "a fraction": (b'{"text":"a","priority":1.5}', "Expected `int`, got `float` - at `$.priority`"),
    "a list": (b"[]", "Expected `object`, got `array`"),
    "null": (b"null", "Expected `object`, got `null`"),
    "a number as text": (b'{"text":5}', "Expected `str`, got `int` - at `$.text`"),
    "no text": (b"{}", "missing required field `text`"),
    "empty text": (b'{"text":""}', "at `$.text`"),
    "unknown field": (b'{"text":"a","txet":"b"}', "unknown field `txet`"),
    "deep": (b'{"text":"a","input":{"x":' + b"[" * 100_000, "nested too deeply"),
    "lone surrogate": (rb'{"text":"\ud800"}', "the value is not JSON"),
    "lone surrogate key": (rb'{"text":"a","input":{"\udc00 and more":1}}', "the value is not JSON"),
    "encoded surrogate": (b'{"text":"\xed\xa0\x80"}', "not UTF-8"),
    "latin-1": ('{"text":"ü"}'.encode("latin-1"), "not UTF-8"),
    "UTF-16": ('{"text":"ü"}'.encode("utf-16"), "the value is not JSON"),
    "a time without zone": (b'{"text":"a","deadline":"2026-01-01T00:00:00"}', "timezone component - at `$.deadline`"),
    "a year that is none in UTC": (b'{"text":"a","deadline":"0001-01-01T00:00:00+01:00"}', "`deadline` lies outside the years"),
    "a number as time": (b'{"text":"a","deadline":5}', "at `$.deadline`"),
    "a name with a newline": (b'{"text":"a","kind":"law\\n"}', "at `$.kind`"),
    "a name with a space": (b'{"text":"a","scope":"two words"}', "at `$.scope`"),
}


@pytest.mark.parametrize(("value", "said"), BROKEN.values(), ids=list(BROKEN))
def test_a_broken_value_is_refused_with_its_reason(value: bytes | None, said: str) -> None:
    """The producer learns what is wrong, and in which field."""
    message = refused(MalformedPayload, (headers(), value))

    assert message.startswith("task.submit: ")
    assert said in message


def test_a_refusal_echoes_no_value_and_no_megabytes() -> None:
    """What was sent may be secret and is large: at most a piece of a field's name or of an enum's value is shown."""
    secret = "hunter2-" * 50_000
    fields: list[dict[str, Any]] = [{"kind": secret}, {"priority": secret}, {"deadline": secret}, {"input": secret}]
    said = [refused(MalformedPayload, (headers(), body(**field))) for field in fields]
    long_name = refused(MalformedPayload, (headers(), body(**{secret: 1})))

    assert not any("hunter2" in message for message in said)
    assert len(long_name) < 400


def test_a_refusal_prints_on_one_line() -> None:
    """Control and bidi characters of the sender never reach a log or a terminal as they are."""
    said = refused(MalformedPayload, (headers(), b'{"text":"a","\\u0000\\u202e\\n":1}'))

    assert r"\x00\u202e\n" in said


def test_of_keys_that_are_there_twice_the_last_counts() -> None:
    """As in nearly every JSON reader, Postgres' jsonb among them."""
    assert decode(headers(), b'{"text":"a","text":"b"}').fact == SubmitTask(text="b")


def test_text_may_hold_anything_that_unicode_has() -> None:
    """Bidi, emoji and even NUL are read; whether they can be stored is asked by `unstorable`."""
    event = decode(headers(), body(text="\u202eabc\u202c 😀 \0"))

    assert event.fact == SubmitTask(text="\u202eabc\u202c 😀 \0")


def test_ten_megabytes_are_read() -> None:
    """The wire has no limit of its own; intake and the broker have."""
    assert len(decode(headers(), body(text="x" * 10_000_000)).fact.text) == 10_000_000  # type: ignore[attr-defined]


def test_numbers_beyond_64_bits_stay_what_they_are() -> None:
    """In a free field nothing is rounded."""
    event = decode(headers(), body(input={"x": 2**70, "y": -(2**70)}))

    assert event.fact == SubmitTask(text="What is 2 + 2?", input={"x": 2**70, "y": -(2**70)})


STRUCTURED = {
    "empty": (b"", "the structured event is not a JSON object"),
    "no JSON": (b"{", "the structured event is not a JSON object"),
    "a list": (b"[]", "the structured event is not a JSON object"),
    "latin-1": (b'{"id":"\xff"}', "attribute 'id' is not a JSON string"),
    "deep": (b'{"data":' + b"[" * 100_000, "the structured event is not a JSON object"),
    "base64": (structured(data=None, data_base64="%%%")[1], "data_base64 is not base64"),
    "base64 of a number": (structured(data=None, data_base64=5)[1], "data_base64 is not base64"),
    "both": (structured(data_base64="e30=")[1], "both data and data_base64"),
}


@pytest.mark.parametrize(("value", "said"), STRUCTURED.values(), ids=list(STRUCTURED))
def test_a_broken_structured_event_is_refused_with_its_reason(value: bytes, said: str) -> None:
    """The whole event is in the value, and so is every way to break it."""
    assert said in refused(NotAnEvent, ([("content-type", b"application/cloudevents+json")], value))


@pytest.mark.parametrize("data", [{}, {"data": None}, {"data_base64": ""}, {"data_base64": "AAAA"}, {"data": "text"}])
def test_a_structured_event_without_fitting_data_is_malformed(data: dict[str, Any]) -> None:
    """The envelope is fine, the fact is not."""
    whole = json.loads(structured()[1])
    del whole["data"]

    refused(MalformedPayload, (structured()[0], json.dumps(whole | data).encode()))


@pytest.mark.parametrize("other", ["application/cloudevents-batch+json", "application/cloudevents+avro"])
def test_other_formats_are_refused_by_name(other: str) -> None:
    """Batches and Avro are CloudEvents too; whoever sends them learns what we read."""
    said = refused(NotAnEvent, ([*headers(), ("content-type", other.encode())], body()))

    assert said == f"content type '{other}' is not read here; send binary mode, or application/cloudevents+json"


@pytest.mark.parametrize("identity", ["r-1", TASK_ID.upper(), "{" + TASK_ID + "}", TASK_ID + " "])
def test_the_id_of_a_fact_is_a_uuid(identity: str) -> None:
    """Inboxes keep ids as UUIDs; a fact that was not written by us is parked, not a crash."""
    record = encode("t", sample(CancelRequested))
    forged = [(name, identity.encode() if name == "ce_id" else content) for name, content in record.headers]

    assert "the id of a fact is a UUID" in refused(NotAnEvent, (forged, record.value))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (headers(), "smolit.task.submit.v1"),
        ([], None),
        ([("ce_type", b"\xff")], "\ufffd"),
        ([("ce_type", None)], None),
        ([*headers(), ("content-type", b"application/cloudevents+json")], None),
    ],
    ids=["binary", "no headers", "not UTF-8", "null", "structured"],
)
def test_the_header_filter_agrees_with_decode(given: Any, expected: str | None) -> None:
    """A consumer may skip by header only where decode would see the same type."""
    assert event_type(given) == expected


def test_a_place_in_the_log_is_written_as_one_word() -> None:
    """Dead letters and refusals name their origin so."""
    assert Incoming("t", 3, 14, None, (), None).origin == "t/3/14"


def test_base64_fields_survive_both_modes() -> None:
    """Bytes in a fact travel as base64 inside JSON, whatever wraps them."""
    event = sample(CATALOG.newest("dead_letter.recorded"))
    value = json.loads(encode("t", event).value)

    assert base64.b64decode(value["original_value"]) == b"original_value"


@pytest.mark.parametrize("value", [None, b"{nonsense", b'{"txet": 1}'])
def test_the_sender_of_a_broken_request_is_known(value: bytes | None) -> None:
    """A refusal can name the request that it refuses, whatever is wrong with the payload, the type or the version."""
    for kind in ("smolit.task.submit.v1", "smolit.task.submit.v9", "theirs"):
        envelope = envelope_of(headers(type=kind), value)

        assert envelope is not None
        assert (envelope.source, envelope.id) == ("me", "r-1")


@pytest.mark.parametrize("missing", ["id", "source", "specversion"])
def test_a_broken_envelope_names_no_sender(missing: str) -> None:
    """Nobody is guessed."""
    assert envelope_of(headers(**{missing: None}), body()) is None
