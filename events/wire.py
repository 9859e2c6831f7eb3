"""The wire format: CloudEvents 1.0 over Kafka. Binary mode out; binary and structured mode in.

Source: CloudEvents Kafka protocol binding 1.0.2 (header prefix `ce_`, `content-type`), JSON event format 1.0.2.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from events.catalog import CATALOG, Catalog
from events.errors import MalformedPayload, NotAnEvent, UnknownEventType
from events.event import Envelope, Event, EventType, Message

Headers = tuple[tuple[str, bytes], ...]
JSON_TYPE = b"application/json"
STRUCTURED_TYPE = "application/cloudevents+json"
TYPE_HEADER = "ce_type"
_WIRE_NAME = re.compile(r"^smolit\.([a-z_]+\.[a-z_]+)\.v([0-9]{1,9})$")
_ENCODER = msgspec.json.Encoder()


class Outgoing(Struct, frozen=True):
    """One record ready for Kafka."""

    topic: str
    key: bytes
    headers: Headers
    value: bytes


class Incoming(Struct, frozen=True):
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

    Raises:
        EventError: the record cannot become an event; the subclass says why.
    """
    attributes, data = _attributes(dict(headers), value)
    name, version = _split(_required(attributes, "type"))
    cls = catalog.newest(name)
    return Event(_envelope(attributes), _fact(cls, version, data, catalog))


def event_type(headers: Iterable[tuple[str, bytes]]) -> str | None:
    """Return the CloudEvents type from the headers alone, so that a consumer can skip before it decodes."""
    for header, content in headers:
        if header == TYPE_HEADER:
            return content.decode("utf-8", "replace")
    return None


def _headers(kind: EventType, envelope: Envelope) -> Headers:
    """Return the binary-mode headers of one event."""
    pairs = [
        ("ce_specversion", b"1.0"),
        ("ce_id", envelope.id.encode()),
        (TYPE_HEADER, kind.wire_name.encode()),
        ("ce_source", envelope.source.encode()),
        ("ce_subject", envelope.subject.encode()),
        ("ce_time", _rfc3339(envelope.time).encode()),
        ("ce_dataschema", f"smolit:{kind.name}:{kind.version}".encode()),
        ("ce_correlationid", envelope.correlation_id.encode()),
        ("ce_causationid", envelope.causation_id.encode()),
        ("content-type", JSON_TYPE),
    ]
    if envelope.traceparent:
        pairs.append(("traceparent", envelope.traceparent.encode()))
    return tuple(pairs)


def _attributes(headers: Mapping[str, bytes], value: bytes | None) -> tuple[dict[str, str], bytes]:
    """Return attributes and data bytes, whichever content mode the record is in."""
    texts = {name.lower(): _text(name, content) for name, content in headers.items() if content is not None}
    if texts.get("content-type", "").lower().startswith(STRUCTURED_TYPE):
        return _structured(value)
    attributes = {name.removeprefix("ce_"): text for name, text in texts.items() if name.startswith("ce_")}
    if "traceparent" in texts:
        attributes.setdefault("traceparent", texts["traceparent"])
    return attributes, value or b""


def _structured(value: bytes | None) -> tuple[dict[str, str], bytes]:
    """Return attributes and data bytes of a structured-mode record."""
    try:
        whole = msgspec.json.decode(value or b"", type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise NotAnEvent(f"the structured event is not JSON: {error}") from error
    attributes = {
        name: str(item) for name, item in whole.items() if not name.startswith("data") or name == "dataschema"
    }
    return attributes, _structured_data(whole)


def _structured_data(whole: Mapping[str, Any]) -> bytes:
    """Return the data of a structured event as JSON bytes."""
    if "data_base64" not in whole:
        return _ENCODER.encode(whole.get("data"))
    try:
        return base64.b64decode(whole["data_base64"], validate=True)
    except (TypeError, binascii.Error) as error:
        raise NotAnEvent("data_base64 is not base64") from error


def _fact(cls: type[Message], version: int, data: bytes, catalog: Catalog) -> Message:
    """Return the payload as the newest class, refusing what does not fit."""
    try:
        if version == cls.event_type.version:
            return msgspec.json.decode(data, type=cls)
        lifted = catalog.lift(cls.event_type, version, msgspec.json.decode(data, type=dict[str, Any]))
        return msgspec.convert(lifted, cls)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedPayload(f"{cls.event_type.name}: {error}") from error


def _envelope(attributes: Mapping[str, str]) -> Envelope:
    """Return the envelope, filling in what CloudEvents leaves optional."""
    event_id = _required(attributes, "id")
    if _required(attributes, "specversion") != "1.0":
        raise NotAnEvent(f"CloudEvents version {attributes['specversion']!r} is not 1.0")
    return Envelope(
        id=event_id,
        source=_required(attributes, "source"),
        subject=attributes.get("subject", ""),
        time=_time(attributes.get("time")),
        correlation_id=attributes.get("correlationid", event_id),
        causation_id=attributes.get("causationid", event_id),
        traceparent=attributes.get("traceparent"),
    )


def _split(wire_name: str) -> tuple[str, int]:
    """Return name and version of a CloudEvents type of ours."""
    if found := _WIRE_NAME.match(wire_name):
        return found[1], int(found[2])
    raise UnknownEventType(f"{wire_name[:200]!r} is not a type of ours (smolit.<entity>.<verb>.v<version>)")


def _required(attributes: Mapping[str, str], name: str) -> str:
    """Return a mandatory attribute; CloudEvents forbids an empty one."""
    if content := attributes.get(name):
        return content
    raise NotAnEvent(f"the CloudEvents attribute {name!r} is missing")


def _text(name: str, content: bytes) -> str:
    """Return a header's text."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotAnEvent(f"header {name!r} is not UTF-8") from error


def _time(text: str | None) -> datetime:
    """Return the event time in UTC; an event without one happened at the epoch, never now."""
    if text is None:
        return datetime.fromtimestamp(0, UTC)
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise NotAnEvent(f"time {text[:64]!r} is not RFC 3339") from error
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _rfc3339(moment: datetime) -> str:
    """Return a UTC time with microseconds and a Z."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
