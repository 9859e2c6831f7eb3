"""The CloudEvents envelope of a Kafka record: attributes and data bytes, in binary or in structured mode.

Source: CloudEvents 1.0.2, Kafka protocol binding 1.0.2 (header prefix `ce_`, `content-type`), JSON event format 1.0.2.
What we do not know (other extensions, other headers) is not looked at, whatever it holds.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Raw

from events.errors import NotAnEvent
from events.text import plain, quoted

STRUCTURED = "application/cloudevents+json"
MAX_ATTRIBUTE_CHARS = 2_048
_PREFIX = "ce_"
_CONTENT_TYPE = "content-type"
_TRACE_HEADER = "traceparent"
_NAMES = ("specversion", "id", "type", "source", "subject", "time", "correlationid", "causationid")
# Distributed tracing travels as a CloudEvents extension or as the W3C header; the extension goes first.
_HEADERS = {
    **{f"{_PREFIX}{name}": name for name in _NAMES},
    f"{_PREFIX}{_TRACE_HEADER}": "ce_traceparent",
    _TRACE_HEADER: _TRACE_HEADER,
    _CONTENT_TYPE: _CONTENT_TYPE,
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

Attributes = dict[str, str]


def is_structured(content_type: bytes) -> bool:
    """Return whether a content type announces the whole event in the value."""
    return content_type.lower().startswith(b"application/cloudevents")


def read(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> tuple[Attributes, bytes]:
    """Return the attributes that we know and the data bytes of a record.

    Raises:
        NotAnEvent: the envelope is broken; the message names the attribute.
    """
    own = _own(headers)
    content_type = own.pop(_CONTENT_TYPE, b"")
    if not is_structured(content_type):
        return _binary(own), value or b""
    if content_type.split(b";")[0].strip().lower() != STRUCTURED.encode():
        raise NotAnEvent(
            f"content type {quoted(content_type.decode('utf-8', 'replace'))} is not read here; send binary mode, or {STRUCTURED}"
        )
    return _structured(value or b"")


def traceparent(text: str | None) -> str | None:
    """Return a W3C trace parent, or None when it is not one: tracing never refuses an event."""
    return text if text and _TRACEPARENT.fullmatch(text) else None


def _own(headers: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    """Return the headers that we know, by attribute; header names have no case."""
    found: dict[str, bytes] = {}
    for header, content in headers:
        name = _HEADERS.get(header) or _HEADERS.get(header.lower())
        if name is None or content is None:
            continue
        if found.setdefault(name, content) is not content and found[name] != content and name in _NAMES:
            raise NotAnEvent(f"header {_PREFIX}{name} is there twice, with different contents")
    return found


def _binary(own: Mapping[str, bytes]) -> Attributes:
    """Return the attributes of a binary-mode record."""
    attributes = {name: _decoded(name, own[name]) for name in _NAMES if name in own}
    trace = own.get("ce_traceparent") or own.get(_TRACE_HEADER)
    return attributes | ({_TRACE_HEADER: trace.decode("ascii", "replace")} if trace else {})


def _structured(value: bytes) -> tuple[Attributes, bytes]:
    """Return attributes and data bytes of a structured-mode record; null stands for an absent attribute."""
    try:
        whole = msgspec.json.decode(value, type=dict[str, Raw])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise NotAnEvent(f"the structured event is not a JSON object: {plain(str(error))}") from error
    attributes = {name: _member(name, whole[name]) for name in _NAMES if not _absent(whole, name)}
    if not _absent(whole, _TRACE_HEADER):
        attributes[_TRACE_HEADER] = bytes(whole[_TRACE_HEADER]).decode("ascii", "replace").strip('"')
    return attributes, _data(whole)


def _absent(whole: Mapping[str, Raw], name: str) -> bool:
    return name not in whole or bytes(whole[name]) == b"null"


def _member(name: str, raw: Raw) -> str:
    """Return a text attribute of a structured event."""
    try:
        return _checked(name, msgspec.json.decode(raw, type=str))
    except (msgspec.MsgspecError, ValueError) as error:
        raise NotAnEvent(f"the CloudEvents attribute {name!r} is not a JSON string") from error


def _data(whole: Mapping[str, Any]) -> bytes:
    """Return the data of a structured event as JSON bytes."""
    if _absent(whole, "data_base64"):
        return bytes(whole["data"]) if "data" in whole else b""
    if not _absent(whole, "data"):
        raise NotAnEvent("the structured event has both data and data_base64")
    try:
        return base64.b64decode(msgspec.json.decode(whole["data_base64"], type=str), validate=True)
    except (msgspec.MsgspecError, binascii.Error, ValueError) as error:
        raise NotAnEvent("data_base64 is not base64") from error


def _decoded(name: str, content: bytes) -> str:
    """Return the text of a header."""
    try:
        return _checked(name, content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise NotAnEvent(f"header {_PREFIX}{name} is not UTF-8") from error


def _checked(name: str, text: str) -> str:
    """Return an attribute's text, refusing what CloudEvents forbids in it and what no index could hold."""
    if len(text) > MAX_ATTRIBUTE_CHARS:
        raise NotAnEvent(f"the CloudEvents attribute {name!r} has {len(text)} characters; {MAX_ATTRIBUTE_CHARS} are allowed")
    if not text.isprintable() and _CONTROL.search(text):
        raise NotAnEvent(f"the CloudEvents attribute {name!r} holds a control character: {quoted(text)}")
    return text
