"""What an event says, for people: its fields with their types in words, read off its JSON Schema."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from events.event import Message
from events.request import Request
from events.schema import DEFS, schema_of

Schema = dict[str, Any]
_FINAL = r"$(?!\n)"  # what Python needs behind `$`, and people need not see


class FieldSaid(Struct, frozen=True):
    """One field: where it lies, what it holds, and what it is; `default` is JSON, None where the field is required."""

    field: str
    type: str
    required: bool
    default: str | None
    says: str


class EventSaid(Struct, frozen=True):
    """One type of event; on a request topic any key will do."""

    type: str
    name: str
    version: int
    topic: str
    key: str
    says: str
    fields: tuple[FieldSaid, ...]


def described(cls: type[Message]) -> EventSaid:
    """Return what a class is, for people."""
    kind, schema = cls.event_type, schema_of(cls)
    told = " ".join(schema["description"].split())
    fields = tuple(_fields(schema, schema, ""))
    key = "any" if issubclass(cls, Request) else kind.key
    return EventSaid(kind.wire_name, kind.name, kind.version, kind.topic.entity, key, told, fields)


def _fields(schema: Schema, root: Schema, path: str) -> Iterator[FieldSaid]:
    """Yield the fields of an object, each followed by those that lie in it."""
    required = schema.get("required", [])
    for name, field in schema["properties"].items():
        default = msgspec.json.encode(field["default"]).decode() if "default" in field else None
        yield FieldSaid(path + name, in_words(field), name in required, default, field.get("description", ""))
        for inner, step in _objects(field, root):
            yield from _fields(inner, root, f"{path}{name}{step}.")


def _objects(schema: Schema, root: Schema) -> Iterator[tuple[Schema, str]]:
    """Yield the declared objects that a field holds, and what stands between its name and theirs."""
    if "$ref" in schema:
        yield root["$defs"][schema["$ref"].removeprefix(DEFS)], ""
    for one in schema.get("anyOf", []):
        yield from _objects(one, root)
    if isinstance(schema.get("items"), dict):
        yield from ((inner, f"[]{step}") for inner, step in _objects(schema["items"], root))


def in_words(schema: Schema) -> str:
    """Return the type of a field as people say it."""
    match schema:
        case {"$ref": ref}:
            return str(ref).removeprefix(DEFS)
        case {"enum": values}:
            return " | ".join(map(str, values))
        case {"anyOf": kinds}:
            return " or ".join(in_words(kind) for kind in kinds)
        case {"type": "array"}:
            return _array(schema)
        case {"type": "object", "additionalProperties": dict() as held}:
            return f"object of {in_words(held)}"
        case {"type": "string"}:
            return _text(schema)
        case {"type": kind}:
            return f"{kind}{_span(schema, 'minimum', 'maximum')}"
        case _:
            return "anything"


def _array(schema: Schema) -> str:
    """Return a list or a tuple in words."""
    if parts := schema.get("prefixItems"):
        return f"[{', '.join(in_words(part) for part in parts)}]"
    return f"list of{_span(schema, 'minItems', 'maxItems')} {in_words(schema.get('items', {}))}"


def _text(schema: Schema) -> str:
    """Return a text in words: its form if it has one, else its length."""
    if "format" in schema or "contentEncoding" in schema:
        return {"date-time": "time", "base64": "bytes in base64"}[schema.get("format") or schema["contentEncoding"]]
    form = f" like {schema['pattern'].replace(_FINAL, '$')}" if "pattern" in schema else ""
    if "maxLength" in schema:
        return f"text of{_span(schema, 'minLength', 'maxLength')} characters{form}"
    return f"text{', not empty' if schema.get('minLength') else ''}{form}"


def _span(schema: Schema, least: str, most: str) -> str:
    """Return the limits of a number or a length."""
    low = next((schema[key] for key in (least, f"exclusive{least.capitalize()}") if key in schema), None)
    over = f"exclusive{least.capitalize()}" in schema
    match low, schema.get(most):
        case None, None:
            return ""
        case None, high:
            return f" up to {high}"
        case _, None:
            return f" {'above' if over else 'from'} {low}"
        case _, high:
            return f" {'above ' if over else ''}{low} to {high}"
