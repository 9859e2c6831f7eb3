"""JSON Schemas of the events, for producers in other languages and for the guard against breaking changes."""

from typing import Any

import msgspec

from events.event import Message
from events.request import Request

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DEFS = "#/$defs/"


def schema_of(cls: type[Message]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of an event's data; `$id` is its CloudEvents dataschema.

    A request is closed: what we do not know is refused, because a misspelt field would be ignored in silence. What we
    write is open: a later release may add an optional field under the same version, so readers pass over the unknown.
    """
    (schema,), components = msgspec.json.schema_components([cls], ref_template=DEFS + "{name}")
    own = components.pop(cls.__name__, schema)
    whole = {"$schema": DIALECT, "$id": cls.event_type.schema_id, **own, **({"$defs": components} if components else {})}
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(whole))  # defaults are Python values: tuples, bytes
    return plain if issubclass(cls, Request) else _opened(plain)


def _opened(schema: Any) -> Any:
    """Return a schema that lets unknown fields be, however deep."""
    if isinstance(schema, list):
        return [_opened(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _opened(item) for key, item in schema.items() if not (key == "additionalProperties" and item is False)}
