"""JSON Schemas of the events, for producers in other languages and for the guard against breaking changes."""

from typing import Any

import msgspec

from events.event import Message

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(cls: type[Message]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of an event's data; `$id` is its CloudEvents dataschema."""
    (schema,), components = msgspec.json.schema_components([cls], ref_template="#/$defs/{name}")
    own = components.pop(cls.__name__, schema)
    whole = {"$schema": DIALECT, "$id": cls.event_type.schema_id, **own, **({"$defs": components} if components else {})}
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(whole))  # defaults are Python values: tuples, bytes
    return plain
