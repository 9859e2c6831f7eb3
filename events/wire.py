"""The wire format: CloudEvents 1.0 over Kafka. Binary mode out; binary and structured mode in.

An event on the wire is stored for ever, so the header names and their order of precedence are part of the contract; see
docs/clients.md for how it looks to a producer.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache

import msgspec
from msgspec import Struct

from events.catalog import CATALOG, Catalog
from events.cloudevent import is_structured, read, traceparent
from events.errors import MalformedPayload, NotAnEvent, UnknownEventType
from events.event import Envelope, Event, EventType, Fact, Message, Payload
from events.field import Moment
from events.text import plain, quoted

Headers = tuple[tuple[str, bytes], ...]
JSON_TYPE = b"application/json"
TYPE_HEADER = "ce_type"
_WIRE_NAME = re.compile(r"smolit\.([a-z_]+\.[a-z_]+)\.v([0-9]{1,20})")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_EPOCH = datetime.fromtimestamp(0, UTC)
# What an upcaster may stumble over in a payload that never was a valid event of its version.
_STUMBLES = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
_ENCODER = msgspec.json.Encoder()


class Outgoing(Struct, frozen=True):
    """One record ready for Kafka."""

    topic: str
    key: bytes
    headers: Headers
    value: bytes


class Incoming(Struct, frozen=True, gc=False):
    """One record as it was read, with its place in the log."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: Headers
    value: bytes | None

    @property
    def origin(self) -> str:
        """Return the record's place as `topic/partition/offset`."""
        return f"{self.topic}/{self.partition}/{self.offset}"


def encode(topic: str, event: Event[Message]) -> Outgoing:
    """Return the record of an event in binary mode: attributes in headers, the fact alone as the value."""
    fact, envelope = event.fact, event.envelope
    return Outgoing(topic, fact.key.encode(), _headers(fact.event_type, envelope), _ENCODER.encode(fact))


def decode(headers: Iterable[tuple[str, bytes]], value: bytes | None, catalog: Catalog = CATALOG) -> Event[Message]:
    """Return the event in a record, lifted to its newest version.

    Of keys that a JSON object repeats the last counts. Other extensions and headers are not looked at.

    Raises:
        EventError: the record cannot become an event; the subclass says why, the message names the field.
    """
    attributes, data = read(headers, value)
    name, version = _split(_required(attributes, "type"))
    cls = catalog.newest(name)
    envelope = _envelope(attributes)
    if issubclass(cls, Fact) and not _UUID.fullmatch(envelope.id):
        raise NotAnEvent(f"the id of a fact is a UUID, which {quoted(envelope.id)} is not")
    return Event(envelope, _fact(cls, version, data, catalog))


def envelope_of(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> Envelope | None:
    """Return the envelope of a record whose payload may be anything, so that a refusal finds who sent it."""
    try:
        return _envelope(read(headers, value)[0])
    except NotAnEvent:
        return None


def event_type(headers: Iterable[tuple[str, bytes]]) -> str | None:
    """Return the CloudEvents type from the headers alone, so that a consumer can skip before it decodes.

    None means that only `decode` can tell: the record is in structured mode, or no event.
    """
    found = None
    for header, content in headers:
        lowered = header.lower()
        if lowered == TYPE_HEADER and found is None and content is not None:
            found = content.decode("utf-8", "replace")
        elif lowered == "content-type" and content is not None and is_structured(content):
            return None
    return found


def _headers(kind: EventType, envelope: Envelope) -> Headers:
    """Return the binary-mode headers of one event."""
    pairs = [
        ("ce_specversion", b"1.0"),
        ("ce_id", envelope.id.encode()),
        (TYPE_HEADER, kind.wire_name.encode()),
        ("ce_source", envelope.source.encode()),
        ("ce_subject", envelope.subject.encode()),
        ("ce_time", _rfc3339(envelope.time).encode()),
        ("ce_dataschema", kind.schema_id.encode()),
        ("ce_correlationid", envelope.correlation_id.encode()),
        ("ce_causationid", envelope.causation_id.encode()),
        ("content-type", JSON_TYPE),
    ]
    if envelope.traceparent:
        pairs.append(("traceparent", envelope.traceparent.encode()))
    return tuple(pairs)


def _fact(cls: type[Message], version: int, data: bytes, catalog: Catalog) -> Message:
    """Return the payload as the newest class, refusing what does not fit."""
    name = cls.event_type.name
    steps = [] if version == cls.event_type.version else catalog.steps(cls.event_type, version)
    if not data:
        raise MalformedPayload(f"{name}: the value is empty")
    try:
        if not steps:
            return msgspec.json.decode(data, type=cls)
        payload = msgspec.json.decode(data, type=Payload)
        for step in steps:
            payload = step(payload)
        return msgspec.convert(payload, cls)
    except (msgspec.MsgspecError, RecursionError, *_STUMBLES) as error:
        raise MalformedPayload(f"{name}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Say what is wrong with a payload; msgspec names the field, and echoes at most a field name or an enum value."""
    match error:
        case msgspec.ValidationError():
            return plain(str(error))
        case msgspec.DecodeError():
            return f"the value is not JSON: {plain(str(error))}"
        case UnicodeDecodeError():
            return f"the value is not UTF-8 (byte {error.start} of a text)"
        case RecursionError():
            return "the value is nested too deeply"
        case _:
            return f"an old version that cannot be lifted ({type(error).__name__}: {plain(str(error), 80)})"


def _envelope(attributes: Mapping[str, str]) -> Envelope:
    """Return the envelope, filling in what CloudEvents leaves optional."""
    event_id = _required(attributes, "id")
    if _required(attributes, "specversion") != "1.0":
        raise NotAnEvent(f"CloudEvents version {quoted(attributes['specversion'])} is not 1.0")
    return Envelope(
        id=event_id,
        source=_required(attributes, "source"),
        subject=attributes.get("subject", ""),
        time=_time(attributes.get("time")),
        correlation_id=attributes.get("correlationid") or event_id,
        causation_id=attributes.get("causationid") or event_id,
        traceparent=traceparent(attributes.get("traceparent")),
    )


@lru_cache(maxsize=1_024)
def _split(wire_name: str) -> tuple[str, int]:
    """Return name and version of a CloudEvents type of ours."""
    if found := _WIRE_NAME.fullmatch(wire_name):
        return found[1], int(found[2])
    raise UnknownEventType(f"{quoted(wire_name, 200)} is not a type of ours (smolit.<entity>.<verb>.v<version>)")


def _required(attributes: Mapping[str, str], name: str) -> str:
    """Return a mandatory attribute; CloudEvents forbids an empty one."""
    if content := attributes.get(name):
        return content
    raise NotAnEvent(f"the CloudEvents attribute {name!r} is missing")


def _time(text: str | None) -> datetime:
    """Return the event time in UTC; an event without one happened at the epoch, never now."""
    if text is None:
        return _EPOCH
    try:
        return msgspec.convert(text, Moment).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError) as error:
        raise NotAnEvent(f"the CloudEvents attribute 'time' {quoted(text)} is not RFC 3339 with a zone") from error


def _rfc3339(moment: datetime) -> str:
    """Return a UTC time with microseconds and a Z."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
