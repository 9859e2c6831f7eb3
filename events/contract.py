"""What others build on: one schema file per message and version, and the AsyncAPI document, as bytes.

The same classes give the same bytes, so that a difference between two exports is a change of the contract.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from events.asyncapi import asyncapi
from events.catalog import FACTS, NOTICES, REQUESTS
from events.event import Message
from events.schema import schema_of
from events.topics import Names

DOCUMENT = "asyncapi.json"


def files(names: Names, tenants: Sequence[str], release: str) -> dict[str, bytes]:
    """Return the content of every file of the contract by its name, for the newest version of each message."""
    schemas = {file_name(cls): schema_of(cls) for cls in (*REQUESTS, *FACTS, *NOTICES)}
    return {name: _bytes(content) for name, content in (schemas | {DOCUMENT: asyncapi(names, tenants, release)}).items()}


def file_name(cls: type[Message]) -> str:
    """Return the name of the file with the schema of a class."""
    return f"{cls.event_type.wire_name}.json"


def older(published: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the published files of versions that newer ones have replaced: stored events, and old producers, have them."""
    newest = {cls.event_type.name: cls.event_type for cls in (*REQUESTS, *FACTS, *NOTICES)}
    passed = {f"smolit.{name}.v{version}.json" for name, kind in newest.items() for version in range(1, kind.version)}
    return {name: content for name, content in published.items() if name in passed}


def _bytes(content: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content)) + b"\n"
