"""One event of every class with every field filled, the same each time: what the golden files are made of."""

import re
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import inspect

from events.event import Envelope, Event, Message

NOW = datetime(2026, 1, 31, 12, 30, 15, 250_000, tzinfo=UTC)
TASK_ID = "3c9f8a52-7b0e-5d1a-9c44-0a6f5e2d1b77"
_FACT_ID = "0b8e2f64-5a1d-5c39-8e70-6d2f9b3c4a15"


def sample(cls: type[Message]) -> Event[Message]:
    """Return the sample event of a class."""
    fact = msgspec.convert(_object(inspect.type_info(cls)), cls)
    envelope = Envelope(
        id=_FACT_ID,
        source="smolit/golden",
        subject=fact.key,
        time=NOW,
        correlation_id=TASK_ID,
        causation_id="a request",
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )
    return Event(envelope, fact)


def _object(kind: Any) -> dict[str, Any]:
    """Fill the fields of a struct."""
    return {field.name: _value(field.type, field.encode_name) for field in kind.fields}


def _value(kind: Any, name: str) -> Any:
    """Return a value for a field; a text says which field it fills, so that two swapped ones show."""
    match kind:
        case inspect.StrType():
            return TASK_ID if name == "task_id" else _text(kind, name)
        case inspect.IntType():
            return max(kind.ge or 0, 1)
        case inspect.FloatType():
            return 0.25
        case inspect.BoolType():
            return True
        case inspect.BytesType():
            return name.encode()
        case inspect.DateTimeType():
            return NOW
        case inspect.LiteralType():
            return kind.values[0]
        case inspect.AnyType():
            return {"any": [1, 0.5, "Größe", None, True]}
        case _:
            return _composite(kind, name)


def _composite(kind: Any, name: str) -> Any:
    """Return a value for a field that is made of others; an optional one is filled."""
    match kind:
        case inspect.Metadata():
            return _value(kind.type, name)
        case inspect.UnionType():
            return _value(next(one for one in kind.types if not isinstance(one, inspect.NoneType)), name)
        case inspect.StructType():
            return _object(kind)
        case inspect.DictType():
            return {name: _value(kind.value_type, name)}
        case inspect.TupleType():
            return [_value(item, name) for item in kind.item_types]
        case inspect.VarTupleType() | inspect.ListType():
            return [_value(kind.item_type, name)] * max(kind.min_length or 0, 2)
    raise TypeError(f"no sample for {kind!r}; teach tests/golden/sample.py this kind of field")


def _text(kind: Any, name: str) -> str:
    """Return a text; names are plain, ids and digests have their form, everything else may hold any character."""
    if not kind.pattern:
        return f"some {name}, ü, 漢, 😀"
    texts = (f"a-{name.replace('_', '-')}", TASK_ID, "5e" * 32, "5e" * 8, "a/kind")
    return next(text for text in texts if re.search(kind.pattern, text))
